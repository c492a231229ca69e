// SPDX-License-Identifier: Apache-2.0
// What comes back from a service manager, which anybody who started us can say it is: names in one variable,
// seals, and the interval of a watchdog.
#include <fcntl.h>

#include <array>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "fuzz/fuzz.h"
#include "keeper/fd_names.h"
#include "keeper/protocol.h"
#include "kernel/passed.h"
#include "kernel/service_manager.h"

using namespace svd;
using fuzz::require;

namespace {

constexpr std::string_view prefix = keeper::passed_prefix;

std::string next_name(const char*& from) {
  std::array<char, keeper::max_name> out{};
  const auto size = keeper::take_fd_name(from, out.data());
  require(size <= out.size());
  const std::string name{out.data(), size};
  require(size == 0 || (size > prefix.size() && name.starts_with(prefix)));
  return name;
}

void read_names(const std::string& text) {
  std::size_t names = 0;
  for (const char* from = text.c_str(); *from != '\0'; ++names) {
    const char* const before = from;
    static_cast<void>(next_name(from));
    require(from > before && from <= text.c_str() + text.size());
  }
  require(names <= text.size());
}

// What is stored comes back.
void store(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return;
  const auto both = StoredNames::encode(name) + ":" + StoredNames::encode(name);
  const char* from = both.c_str();
  const auto first = next_name(from), second = next_name(from);
  require(first == second && *from == '\0');
  require(first.empty() ? name.size() > keeper::max_name - prefix.size()
                        : first.substr(prefix.size()) == name);
}

void unseal_it(std::string_view name) {
  static const auto seal = Seal::for_now();
  static const UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  require(!unseal(seal, name, file.get()));
  const auto sealed = sealed_name(name, seal.over(name, file.get()));
  require(unseal(seal, sealed, file.get()) ==
          (name.empty() ? std::nullopt : std::optional{std::string{name}}));
  require(!unseal(Seal::for_now(), sealed, file.get()));
}

}  // namespace

FUZZ_TARGET(stored) {
  const std::string text{bytes.substr(0, bytes.find('\0'))};
  read_names(text);
  store(bytes);
  unseal_it(bytes);
  for (const bool with_state : {false, true}) static_cast<void>(is_storable(bytes, with_state));
  require(watchdog_interval(text.c_str(), nullptr, 1).count() >= 0);
  require(watchdog_interval("1000000", text.c_str(), 4711).count() == 0 || text == "4711");
}
