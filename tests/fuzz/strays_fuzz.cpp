// SPDX-License-Identifier: Apache-2.0
// The environment of a stranger's process, and a table of processes in any relation, circles included.
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "kernel/strays.h"

using namespace svd;
using fuzz::require;

namespace {

constexpr SipKey key{1, 2};

void read_environment(std::string_view bytes) {
  const auto id = start_of(bytes, key);
  if (!id) return;
  require(*id != StartId{} && !start_of(bytes, std::nullopt));
  const auto variable = std::string{start_variable} + "=" + start_value(key, *id);
  require(start_of(variable, key) == id);
}

void search(fuzz::Input input) {
  std::vector<Process> processes;
  std::vector<std::string> environments(16);
  while (!input.empty() && processes.size() < 64) {
    const auto pid = input.number<std::uint8_t>() % 16;
    const char state = "RSDZX"[input.number<std::uint8_t>() % 5];
    processes.push_back(
        {pid, {state, input.number<std::uint8_t>() % 16, input.number<std::uint8_t>() % 16, 1}});
    if (const auto id = input.number<std::uint8_t>() % 8; id != 0)
      environments[static_cast<std::size_t>(pid)] =
          std::string{start_variable} + "=" + start_value(key, StartId{static_cast<std::uint64_t>(id)});
  }
  const StraySearch wanted{
      .key = key,
      .is_wanted = [](StartId id) { return static_cast<std::uint64_t>(id) % 2 == 1; },
      .leads = [](std::int64_t session) { return session == 3 ? std::optional{StartId{5}} : std::nullopt; },
      .environment = [&](std::int64_t pid) { return environments[static_cast<std::size_t>(pid)]; }};
  const auto found = find_strays(processes, wanted);
  require(found.size() <= processes.size());
  for (const auto& stray : found) require(wanted.is_wanted(stray.id));
}

}  // namespace

FUZZ_TARGET(strays) {
  read_environment(bytes);
  search(fuzz::Input{bytes});
}
