// SPDX-License-Identifier: Apache-2.0
// Whose a line of the journal is: its cgroup, uid, transport, the instance that is asked for and svd's own
// cgroup, one a line. A stranger's is nobody's.
#include <unistd.h>

#include <string>

#include "cli/log_trust.h"
#include "fuzz/fuzz.h"

using namespace svd::cli;
using svd::fuzz::require;

FUZZ_TARGET(trust) {
  svd::fuzz::Input input{bytes};
  const std::string cgroup{input.line()}, uid{input.line()}, transport{input.line()};
  const std::string instance{input.line()}, given{input.line()};
  const auto found = instance_of_cgroup(cgroup, given);
  if (!found.empty()) {
    require(found.size() < cgroup.size() && found.find('/') != std::string::npos);
    require(cgroup.find(found + ".") != std::string::npos);
    if (given != "/") require(cgroup.starts_with(given + "/svd-"));
  }
  const JournalTrust trust{{4710}, {4711}, given};
  const bool believed = is_said_by({uid, cgroup, transport}, instance, trust);
  if (!believed) return;
  const bool by_cgroup = !given.empty() && !found.empty();
  if (by_cgroup) return require(found == instance);
  require(uid == std::to_string(::geteuid()) || uid.find_first_not_of("0123456789") == std::string::npos);
  const auto number = std::stoul(uid);
  require(number == 0 || number == ::geteuid() || number == 4710 ||
          (number == 4711 && transport == "stdout"));
}
