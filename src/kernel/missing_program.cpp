// SPDX-License-Identifier: Apache-2.0
#include "kernel/missing_program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "files/trusted_path.h"
#include "kernel/launch_record.h"

namespace svd {
namespace {

std::string below(const std::string& directory, const std::string& path) {
  return path.starts_with('/') || directory.empty() ? path : directory + "/" + path;
}

std::string read_at(int fd, std::size_t size, off_t offset) {
  std::string bytes(size, '\0');
  const auto got = ::pread(fd, bytes.data(), size, offset);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

template <class Record>
std::optional<Record> record_at(int fd, std::uint64_t offset) {
  Record record;
  const auto bytes = read_at(fd, sizeof record, static_cast<off_t>(offset));
  if (bytes.size() < sizeof record) return std::nullopt;
  std::memcpy(&record, bytes.data(), sizeof record);
  return record;
}

// The loader of a program of 64 bits: "/lib64/ld-linux-x86-64.so.2". "": it names none.
std::string loader_of(int fd) {
  const auto head = record_at<Elf64_Ehdr>(fd, 0);
  if (!head || head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_phentsize != sizeof(Elf64_Phdr)) return "";
  for (unsigned i = 0; i < head->e_phnum; ++i) {
    const auto part = record_at<Elf64_Phdr>(fd, head->e_phoff + i * sizeof(Elf64_Phdr));
    if (!part) return "";
    if (part->p_type != PT_INTERP) continue;
    const auto name =
        read_at(fd, std::min<std::size_t>(part->p_filesz, PATH_MAX), static_cast<off_t>(part->p_offset));
    return name.substr(0, name.find('\0'));
  }
  return "";
}

// "/bin/sh" of "#! /bin/sh -e\n"; "" of what is no script.
std::string interpreter_of(std::string_view head) {
  constexpr std::string_view blanks = " \t";
  if (!head.starts_with("#!")) return "";
  head = head.substr(2, head.find('\n') - 2);
  const auto begin = head.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return "";
  head.remove_prefix(begin);
  return std::string{head.substr(0, head.find_first_of(blanks))};
}

// What execve(2) looks for besides the file itself; "" where there is no regular file that could be read.
std::string needed_by(const std::string& path) {
  constexpr std::size_t looked_at = 256;  // BINPRM_BUF_SIZE
  const auto file = open_chosen_file(path);
  if (!file) return "";
  const auto head = read_at(file->get(), looked_at, 0);
  return head.starts_with(ELFMAG) ? loader_of(file->get()) : interpreter_of(head);
}

// The instance may see other files than we do: only what is missing here, too, is said to be.
std::string complaint_about(const Sought& sought, const std::string& candidate) {
  const auto needed = needed_by(below(sought.directory, candidate));
  if (needed.empty() || ::access(below(sought.directory, needed).c_str(), F_OK) == 0) return "";
  return "'" + candidate + "' needs the interpreter '" + needed + "', which is missing";
}

}  // namespace

std::string why_missing(const Sought& sought) {
  for (const auto& candidate : exec_candidates(sought.program, {"PATH=" + sought.path}))
    if (auto complaint = complaint_about(sought, candidate); !complaint.empty()) return complaint;
  if (sought.program.find('/') != std::string::npos) return "";
  return "'" + sought.program + "' is in no directory of its PATH (" + sought.path + ")";
}

}  // namespace svd
