// SPDX-License-Identifier: Apache-2.0
#include "kernel/child_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "files/io.h"
#include "kernel/launch_record.h"
#include "kernel/proc.h"

namespace svd {
namespace {

constexpr std::uint32_t magic = 0x6a647673;  // "svdj"
constexpr std::uint32_t format = 1;

struct Head {
  std::uint32_t magic, format;
  std::array<char, 56> boot;  // zero-terminated
};
struct Record {
  std::uint64_t start_ticks;
  keeper::StopRule stop;
  std::uint32_t cookie_size;  // 0: nobody
  std::uint32_t unused;
  std::array<char, 232> cookie;
};
constexpr std::size_t record_size = 256;
static_assert(sizeof(Record) == record_size && sizeof(Head) <= record_size && 4096 % record_size == 0);

off_t place(std::uint32_t number) { return static_cast<off_t>(number * record_size); }

Head head_of_now() {
  Head head{magic, format, {}};
  boot_id().copy(head.boot.data(), head.boot.size() - 1);
  return head;
}

template <class T>
bool read_at(int file, off_t at, T& out) {
  return ::pread(file, &out, sizeof out, at) == static_cast<ssize_t>(sizeof out);
}

template <class T>
Result<> write_at(int file, off_t at, const T& what, const std::string& path) {
  const auto written = ::pwrite(file, &what, sizeof what, at);
  if (written == static_cast<ssize_t>(sizeof what)) return {};
  return fail_errno(written < 0 ? errno : ENOSPC, "cannot write '" + path + "'");
}

std::optional<ChildJournal::Entry> entry_of(const Record& record) {
  if (record.cookie_size == 0 || record.cookie_size > record.cookie.size()) return std::nullopt;
  auto child = decode_cookie({record.cookie.data(), record.cookie_size});
  if (!child) return std::nullopt;
  return ChildJournal::Entry{std::move(*child), record.start_ticks, record.stop};
}

}  // namespace

std::vector<ChildJournal::Entry> ChildJournal::load() {
  std::vector<Entry> entries;
  UniqueFd file{::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
  Head head{};
  const auto want = head_of_now();
  if (!file || !read_at(file.get(), 0, head) || std::memcmp(&head, &want, sizeof head) != 0) return entries;
  file_ = std::move(file);
  for (Record record{}; end_ <= keeper::max_children && read_at(file_.get(), place(end_), record); ++end_) {
    auto entry = entry_of(record);
    if (!entry || !records_.emplace(static_cast<std::uint64_t>(entry->child.id), end_).second)
      free_.push_back(end_);
    else
      entries.push_back(std::move(*entry));
  }
  return entries;
}

// Over whatever there is: load() found nothing in it that counts.
Result<> ChildJournal::make() {
  SVD_CHECK(make_directories(split_path(path_).directory, 0700));
  UniqueFd file{::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno(errno, "cannot write '" + path_ + "'");
  SVD_CHECK(write_at(file.get(), 0, head_of_now(), path_));
  const std::array<char, record_size - sizeof(Head)> rest{};
  SVD_CHECK(write_at(file.get(), sizeof(Head), rest, path_));
  file_ = std::move(file);
  return {};
}

Result<> ChildJournal::put(const Entry& entry) {
  if (!file_) SVD_CHECK(make());
  Record record{};
  const auto cookie = encode_cookie(entry.child);
  if (cookie.size() > record.cookie.size())
    return fail(std::errc::value_too_large, "cannot write '" + path_ + "': the name is too long");
  record.start_ticks = entry.start_ticks;
  record.stop = entry.stop;
  record.cookie_size = static_cast<std::uint32_t>(cookie.size());
  cookie.copy(record.cookie.data(), cookie.size());
  const auto id = static_cast<std::uint64_t>(entry.child.id);
  const auto known = records_.find(id);
  const auto number = known != records_.end() ? known->second : free_.empty() ? end_ : free_.back();
  SVD_CHECK(write_at(file_.get(), place(number), record, path_));
  if (known != records_.end()) return {};
  records_.emplace(id, number);
  if (number == end_)
    ++end_;
  else
    free_.pop_back();
  return {};
}

void ChildJournal::erase(StartId id) {
  const auto known = records_.find(static_cast<std::uint64_t>(id));
  if (known == records_.end()) return;
  // A record that stays for want of this write names a process that is gone: its pid and ticks fit nobody.
  (void)write_at(file_.get(), place(known->second), Record{}, path_);
  free_.push_back(known->second);
  records_.erase(known);
}

void ChildJournal::remove_if_empty() {
  if (!file_ || !records_.empty()) return;
  ::unlink(path_.c_str());
  file_.reset();
  free_.clear();
  end_ = 1;
}

}  // namespace svd
