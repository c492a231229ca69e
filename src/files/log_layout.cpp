// SPDX-License-Identifier: Apache-2.0
#include "files/log_layout.h"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "files/io.h"
#include "files/trusted_path.h"

namespace svd {
namespace {

constexpr std::array<std::string_view, 4> step_names{"settled", "copied", "punched", "renaming"};
constexpr std::string_view magic = "svd-log-cut 1 ";
constexpr std::size_t max_record = 512;

// No log gets there, and no sum of two of them overflows.
constexpr std::uint64_t highest = 1ULL << 62U;

// Takes "name=123 " off the front.
bool take_number(std::string_view& text, std::string_view name, std::uint64_t& into) {
  if (!text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  if (error != std::errc{} || end == text.data() + text.size() || (*end != ' ' && *end != '\n') ||
      into > highest)
    return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

std::optional<CutRecord::Step> take_step(std::string_view& text) {
  const auto end = text.find(' ');
  if (end == std::string_view::npos) return std::nullopt;
  const auto found = std::ranges::find(step_names, text.substr(0, end));
  if (found == step_names.end()) return std::nullopt;
  text.remove_prefix(end + 1);
  return static_cast<CutRecord::Step>(found - step_names.begin());
}

// The number of "web.0.log.000007" or "web.0.log.000007.gz".
std::optional<RotatedFile> parse_rotated(std::string_view base, const std::string& name) {
  std::string_view rest = name;
  if (!rest.starts_with(base)) return std::nullopt;
  rest.remove_prefix(base.size());
  RotatedFile file{0, rest.ends_with(".gz"), name};
  if (file.compressed) rest.remove_suffix(3);
  if (rest.size() < 7 || rest.front() != '.') return std::nullopt;
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), file.number);
  if (error != std::errc{} || end != rest.data() + rest.size() || file.number == 0) return std::nullopt;
  if (name != rotated_name(base, file.number, file.compressed)) return std::nullopt;
  return file;
}

}  // namespace

std::string to_text(const CutRecord& record) {
  std::array<char, max_record> line{};
  const auto step = step_names[static_cast<std::size_t>(record.step)];
  const int n = std::snprintf(
      line.data(), line.size(), "%s%s start=%llu hole=%llu number=%llu length=%llu cut=%llu\n", magic.data(),
      step.data(), static_cast<unsigned long long>(record.start),
      static_cast<unsigned long long>(record.hole), static_cast<unsigned long long>(record.number),
      static_cast<unsigned long long>(record.length), static_cast<unsigned long long>(record.cut.micros));
  return {line.data(), static_cast<std::size_t>(n)};
}

std::optional<CutRecord> parse_cut_record(std::string_view text) {
  CutRecord record;
  if (!text.starts_with(magic)) return std::nullopt;
  text.remove_prefix(magic.size());
  const auto step = take_step(text);
  if (!step) return std::nullopt;
  record.step = *step;
  std::uint64_t micros = 0;
  const bool all = take_number(text, "start=", record.start) && take_number(text, "hole=", record.hole) &&
                   take_number(text, "number=", record.number) &&
                   take_number(text, "length=", record.length) && take_number(text, "cut=", micros);
  if (!all || !text.empty()) return std::nullopt;
  record.cut.micros = static_cast<std::int64_t>(micros);
  return record;
}

std::string record_name(std::string_view base) { return "." + std::string{base} + ".cut"; }
std::string part_name(std::string_view base) { return "." + std::string{base} + ".part"; }

std::string rotated_name(std::string_view base, std::uint64_t number, bool compressed) {
  auto digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return std::string{base} + "." + digits + (compressed ? ".gz" : "");
}

Result<LogPlace> open_log_place(const std::string& path, Links links) {
  const auto parts = split_path(path);
  UniqueFd directory{links == Links::trusted
                         ? open_trusted_directory(parts.directory)
                         : ::open(parts.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return fail_errno(errno, "cannot open the directory '" + parts.directory + "'");
  return LogPlace{std::move(directory), parts.name};
}

Result<UniqueFd> lock_log(const LogPlace& place, bool wait) {
  SVD_TRY(auto fd, open_own_at(place.directory.get(), "." + place.base + ".lock", O_RDWR | O_CREAT, 0600));
  for (;;) {
    if (::flock(fd.get(), wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno == EWOULDBLOCK)
      return fail(std::errc::resource_unavailable_try_again,
                  "cannot rotate '" + place.base + "': somebody else does");
    if (errno != EINTR) return fail_errno(errno, "cannot lock '" + place.base + "'");
  }
}

Result<CutRecord> read_cut_record(const LogPlace& place) {
  const auto name = record_name(place.base);
  auto text = read_file_at(place.directory.get(), name, max_record);
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return CutRecord{};
  if (!text) return tl::make_unexpected(text.error());
  const auto record = parse_cut_record(*text);
  if (!record)
    return fail(std::errc::illegal_byte_sequence,
                "cannot use '" + name + "': it is no record of a log's cuts");
  return *record;
}

Result<> write_cut_record(const LogPlace& place, const CutRecord& record, mode_t mode) {
  const auto name = record_name(place.base);
  return write_file_at(place.directory.get(), {name, name + ".new", mode, Durability::synced},
                       to_text(record));
}

std::optional<std::uint64_t> first_data(int fd) {
  const auto found = ::lseek(fd, 0, SEEK_DATA);
  if (found >= 0) return static_cast<std::uint64_t>(found);
  // ENXIO: nothing but a hole. Anything else: a file system that knows no holes.
  return errno == ENXIO ? std::nullopt : std::optional<std::uint64_t>{0};
}

Result<std::vector<RotatedFile>> rotated_files(const LogPlace& place) {
  SVD_TRY(const auto names, list_directory(place.directory.get()));
  std::vector<RotatedFile> files;
  for (const auto& name : names)
    if (auto file = parse_rotated(place.base, name)) files.push_back(std::move(*file));
  // Of two forms the plain one goes first, and stays: it is whole as long as it is there.
  std::ranges::sort(files, {}, [](const RotatedFile& f) { return std::pair{f.number, f.compressed}; });
  const auto same = [](const RotatedFile& a, const RotatedFile& b) { return a.number == b.number; };
  files.erase(std::unique(files.begin(), files.end(), same), files.end());
  return files;
}

}  // namespace svd
