// SPDX-License-Identifier: Apache-2.0
#include "kernel/service_manager.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "keeper/protocol.h"

namespace svd {
namespace {

constexpr std::size_t longest_stored = 255 - (sizeof keeper::passed_prefix - 1);  // of FDNAME_MAX
constexpr std::int64_t longest_interval = 24LL * 3600 * 1000;

std::int64_t number(const char* text) {
  std::int64_t value = 0;
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, value);
  return read.ec == std::errc{} && read.ptr == end ? value : 0;
}

}  // namespace

Millis watchdog_interval(const char* usec, const char* pid, std::int64_t keeper_pid) {
  if (usec == nullptr || (pid != nullptr && number(pid) != keeper_pid)) return Millis{0};
  const auto micros = number(usec);
  return micros <= 0 ? Millis{0} : Millis{std::clamp<std::int64_t>(micros / 2000, 1, longest_interval)};
}

std::unique_ptr<ServiceManager> ServiceManager::find(const Loop& loop, std::int64_t keeper_pid, Seal seal) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return nullptr;
  const auto interval =
      watchdog_interval(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), keeper_pid);
  return std::unique_ptr<ServiceManager>{new ServiceManager{loop, seal, interval}};
}

void ServiceManager::tell(std::string text) { queue(std::move(text), {}); }

Result<> ServiceManager::feed_watchdog() {
  if (interval_.count() <= 0) return {};
  SVD_CHECK(watchdog_.arm(loop_, Priority::client, [this] {
    tell("WATCHDOG=1");
    (void)watchdog_.set(Loop::now().mono + interval_);  // fails as the loop does; then the watchdog is right
  }));
  return watchdog_.set(Loop::now().mono + interval_);
}

std::string StoredNames::encode(std::string_view name) {
  std::string text;
  for (const unsigned char c : name) {
    std::array<char, 4> escaped{static_cast<char>(c)};
    if (c <= ' ' || c >= 127 || c == ':' || c == '%')
      std::snprintf(escaped.data(), escaped.size(), "%%%02X", unsigned{c});
    text += escaped.data();
  }
  return text;
}

bool StoredNames::note(const std::string& name, std::string stored) {
  if (names_.contains(name)) return true;
  const auto size = stored.size();
  if (names_.size() >= most || size > longest_stored || bytes_ + size + 1 > most_bytes) return false;
  bytes_ += size + 1;
  names_.emplace(name, std::move(stored));
  return true;
}

std::string StoredNames::forget(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return {};
  auto stored = std::move(found->second);
  names_.erase(found);
  bytes_ -= stored.size() + 1;
  return stored;
}

std::string ServiceManager::stored_name(const std::string& name, int fd) const {
  const auto seal = seal_.over(name, fd);
  return seal.empty() ? std::string{} : StoredNames::encode(sealed_name(name, seal));
}

void ServiceManager::store(const std::string& name, int fd) {
  forget(name);
  const auto stored = stored_name(name, fd);
  UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
  if (copy && !stored.empty() && stored_.note(name, stored))
    queue("FDSTORE=1\nFDPOLL=0\nFDNAME=" + stored, std::move(copy));
}

void ServiceManager::note_stored(const std::string& name, int fd) {
  if (auto stored = stored_name(name, fd); !stored.empty()) stored_.note(name, std::move(stored));
}

void ServiceManager::forget(const std::string& name) {
  if (const auto stored = stored_.forget(name); !stored.empty())
    queue("FDSTOREREMOVE=1\nFDNAME=" + stored, {});
}

std::optional<std::string> ServiceManager::accept(const std::string& passed, int fd) {
  auto name = unseal(seal_, passed, fd);
  if (name)
    stored_.note(*name, StoredNames::encode(passed));
  else
    queue("FDSTOREREMOVE=1\nFDNAME=" + StoredNames::encode(passed), {});
  return name;
}

void ServiceManager::queue(std::string text, UniqueFd fd) {
  if (queue_.size() >= max_queued || text.size() > keeper::max_note) return;
  queue_.push_back({std::move(text), std::move(fd)});
  send();
}

void ServiceManager::speak_through(Send send_in) {
  send_ = std::move(send_in);
  under_way_ = 0;
  send();
}

void ServiceManager::sent(std::uint32_t count) {
  under_way_ -= std::min(under_way_, count);
  send();
}

void ServiceManager::send() {
  for (; send_ && !queue_.empty() && under_way_ < keeper::max_notes; queue_.pop_front(), ++under_way_)
    send_(queue_.front().text, queue_.front().fd.get());
}

}  // namespace svd
