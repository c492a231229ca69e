// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message to the keeper: nothing outside of it is read or written, and what comes out as a
// start is fit for execve(2).
#include <cstddef>
#include <cstring>
#include <vector>

#include "fuzz/fuzz.h"
#include "keeper/wire.h"

namespace {

using namespace svd::keeper;
using svd::fuzz::require;

// Reads all that a child would.
std::size_t walk(char* const* strings, std::uint32_t count) {
  std::size_t size = 0;
  for (std::uint32_t i = 0; i < count; ++i) size += std::strlen(strings[i]);
  require(strings[count] == nullptr);
  return size;
}

std::size_t use(const Launch& launch) {
  const Spawn& spawn = *launch.spawn;
  require(spawn.argc > 0 && spawn.execc > 0 && spawn.id != 0 && spawn.cookie_size <= max_cookie);
  std::size_t size =
      walk(launch.argv, spawn.argc) + walk(launch.envp, spawn.envc) + walk(launch.exec, spawn.execc);
  for (const char* const text : {launch.cwd, launch.cgroup, launch.stdio_path})
    if (text != nullptr) size += std::strlen(text);
  if (launch.cgroup != nullptr) require(launch.cgroup[0] != '/' && std::strlen(launch.cgroup) <= max_cgroup);
  require(spawn.passed_count <= max_passed);
  for (std::uint32_t i = 0; i < spawn.passed_count; ++i)
    if (const char* const name = launch.name(launch.passed[i])) {
      require(name[0] != '\0' && std::strlen(name) <= max_name);
      size += launch.passed[i].attached & 1U;
    }
  for (std::uint32_t i = 0; i < spawn.rlimit_count; ++i) size += launch.limits[i].soft & 1;
  for (std::uint32_t i = 0; i < spawn.group_count; ++i) size += launch.groups[i] & 1;
  for (std::uint32_t i = 0; i < spawn.cookie_size; ++i)
    size += static_cast<std::size_t>(launch.cookie[i] & 1);
  return size;
}

template <class Record, class Read>
std::size_t each(Message message, Read&& read) {
  std::size_t records = 0;
  for (Record record{};; ++records) {
    const Next next = read(message, record);
    if (next == Next::end || next == Next::broken) return records;
  }
}

std::size_t read_all(const Message& message) {
  std::size_t sum = each<Signal>(message, next_signal) + each<std::uint64_t>(message, next_id);
  sum += each<Name>(message, [](Message& from, Name& name) {
    const Next next = next_name(from, name);
    if (next == Next::record) require(name.size > 0 && name.size <= max_name);
    return next;
  });
  sum += each<Adopt>(message, [](Message& from, Adopt& adopt) {
    const Next next = next_adopt(from, adopt);
    if (next == Next::record)
      require(adopt.child.pid > 1 &&
              stays_below(adopt.cgroup, adopt.child.cgroup_size) == (adopt.child.cgroup_size > 0));
    return next;
  });
  return sum;
}

std::vector<Next> look_at_all(Message message) {
  std::vector<Next> answers;
  Launch launch;
  do {
    answers.push_back(look_at_spawn(message, launch));
    if (answers.back() == Next::record)
      require(launch.spawn->id != 0 && launch.spawn->cookie_size <= max_cookie);
  } while (answers.back() == Next::record || answers.back() == Next::bad);
  return answers;
}

}  // namespace

FUZZ_TARGET(keeper) {
  // A heap block of exactly this size, so that one byte too far is seen; aligned as the keeper's buffer is.
  std::vector<char> block(bytes.begin(), bytes.end());
  // Another version is refused at once: nothing would be left to see.
  if (block.size() >= sizeof(Header))
    std::memcpy(block.data() + offsetof(Header, version), &version, sizeof version);
  Message message;
  if (!open_message(block.data(), block.size(), message)) return;
  [[maybe_unused]] std::size_t sum = read_all(message);
  const auto before = block;
  const auto looked = look_at_all(message);
  require(block == before);
  // What is carried out passed when it was looked at.
  Launch launch;
  for (const Next at_first : looked) {
    const Next next = next_spawn(message, launch);
    require(next != Next::record || at_first == Next::record);
    if (next == Next::record) sum += use(launch);
  }
}
