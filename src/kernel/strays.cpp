// SPDX-License-Identifier: Apache-2.0
#include "kernel/strays.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <unordered_map>

namespace svd {
namespace {

std::string hex(std::uint64_t value) {
  std::string out(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) out[i] = "0123456789abcdef"[value & 15U];
  return out;
}

class Search {
 public:
  Search(const std::vector<Process>& processes, const StraySearch& search) : search_{search} {
    for (const auto& process : processes) known_.emplace(process.pid, Member{&process, {}, false});
  }

  // Its own words first; then its session; then its parent's, whose own come first in turn.
  std::optional<StartId> owner(std::int64_t pid) {
    std::optional<StartId> answer;
    std::vector<Member*> asked;
    for (auto found = known_.find(pid); found != known_.end();
         found = known_.find(found->second.process->stat.parent)) {
      auto& member = found->second;
      if (member.decided) {  // or being asked: a recycled pid could make a circle
        answer = member.owner;
        break;
      }
      member.decided = true;
      asked.push_back(&member);
      if (const auto told = start_of(search_.environment(member.process->pid), search_.key)) {
        if (search_.is_wanted(*told)) answer = told;
        break;
      }
      if ((answer = search_.leads(member.process->stat.session))) break;
    }
    for (Member* const member : asked) member->owner = answer;
    return answer;
  }

 private:
  struct Member {
    const Process* process;
    std::optional<StartId> owner;
    bool decided;
  };
  const StraySearch& search_;
  std::unordered_map<std::int64_t, Member> known_;
};

}  // namespace

LoadedKey load_start_key(const std::string& state_directory) {
  const auto path = state_directory + "/start-key";
  SipKey key{};
  if (const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
      file && ::read(file.get(), key.data(), sizeof key) == sizeof key && key != SipKey{})
    return {key, {}};
  if (::getrandom(key.data(), sizeof key, 0) != sizeof key)
    return {{}, fail_errno(errno, "cannot make a key for the marks of starts")};
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file || ::write(file.get(), key.data(), sizeof key) != sizeof key)
    return {key, fail_errno(errno, "cannot write '" + path + "'")};
  return {key, {}};
}

std::string start_value(const SipKey& key, StartId id) {
  const auto number = std::to_string(static_cast<std::uint64_t>(id));
  return hex(siphash(key, "start " + number)) + "." + number;
}

std::optional<StartId> start_of(std::string_view environment, const StartKey& key) {
  if (!key) return std::nullopt;
  while (!environment.empty()) {
    const auto end = environment.find('\0');
    auto variable = environment.substr(0, end);
    environment.remove_prefix(end == std::string_view::npos ? environment.size() : end + 1);
    const auto dot = variable.find('.');
    if (!variable.starts_with(start_variable) || dot == variable.npos) continue;
    const auto number = variable.substr(dot + 1);
    std::uint64_t id = 0;
    std::from_chars(number.data(), number.data() + number.size(), id);
    if (id == 0) continue;
    if (variable == std::string{start_variable} + "=" + start_value(*key, StartId{id})) return StartId{id};
  }
  return std::nullopt;
}

std::vector<Stray> find_strays(const std::vector<Process>& processes, const StraySearch& search) {
  std::vector<Stray> found;
  Search owners{processes, search};
  for (const auto& process : processes) {
    if (process.stat.state == 'Z' || process.stat.state == 'X') continue;
    if (const auto id = owners.owner(process.pid))
      found.push_back({*id, process.pid, process.stat.start_ticks, process.stat.session == process.pid});
  }
  return found;
}

UniqueFd open_stray(const Stray& stray) {
  // First the pidfd, then the question whose it is: in this order a recycled pid cannot slip in.
  UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(stray.pid), 0))};
  if (!process) return process;
  const auto stat = read_stat(stray.pid);
  if (!stat || stat->start_ticks != stray.start_ticks) process.reset();
  return process;
}

}  // namespace svd
