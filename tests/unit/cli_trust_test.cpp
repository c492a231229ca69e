// SPDX-License-Identifier: Apache-2.0
// Whose line an entry of the journal is.
#include <unistd.h>

#include "cli/log_trust.h"
#include "support/catch.h"

using namespace svd::cli;

TEST_CASE("the instance of a cgroup is read below svd's own, and nowhere else", "[cli][logs]") {
  const auto [cgroup, given, want] = GENERATE(table<std::string, std::string, std::string>({
      {"/system.slice/svd.service/svd-0000abcd/shop:web/0.17", "/system.slice/svd.service", "shop:web/0"},
      {"/system.slice/svd.service/svd-0000abcd/shop:web/0.17/below", "/system.slice/svd.service",
       "shop:web/0"},
      {"/svd-0000abcd/shop:web/12.3", "/", "shop:web/12"},
      {"/system.slice/svd.service/svd-0000abcd/supervisor", "/system.slice/svd.service", ""},
      {"/system.slice/svd.service", "/system.slice/svd.service", ""},
      // Made by others below what is theirs, the same to the letter.
      {"/user.slice/user-1000.slice/x/svd-0000abcd/shop:web/0.17", "/system.slice/svd.service", ""},
      {"/system.slice/svd.service.evil/svd-0000abcd/shop:web/0.17", "/system.slice/svd.service", ""},
      // By an app below its own: it stays that app.
      {"/system.slice/svd.service/svd-0000abcd/shop:evil/0.1/svd-0000abcd/shop:web/0.17",
       "/system.slice/svd.service", "shop:evil/0"},
      {"/system.slice/svd.service/svd-0000abcd/shop:web/x.17", "/system.slice/svd.service", ""},
      {"", "/system.slice/svd.service", ""},
  }));
  CAPTURE(cgroup);
  CHECK(instance_of_cgroup(cgroup, given) == want);
}

TEST_CASE("a line is an instance's by what nobody can forge", "[cli][logs]") {
  const std::string own = "/system.slice/svd.service", mine = own + "/svd-0000abcd/shop:web/0.17",
                    other = own + "/svd-0000abcd/shop:evil/0.3";
  const auto [uid, cgroup, transport, want] =
      GENERATE_COPY(table<std::string, std::string, std::string, bool>({
          {"0", mine, "stdout", true},
          {"33", mine, "stdout", true},  // a worker that changed its user
          {"0", own + "/svd-0000abcd/supervisor", "journal", true},
          {"500", "/user.slice", "journal", true},  // svd's own user
          {"600", "", "stdout", true},              // the app's user; gone before journald looked
          {"600", "/user.slice/user-600.slice", "syslog", false},
          {"0", other, "stdout", false},
          {"600", other, "stdout", false},
          {"65000", "", "stdout", false},
          {"65000", "/user.slice", "journal", false},
          {"", "", "kernel", false},
          {"x", "", "stdout", false},
      }));
  if (::geteuid() == 65000) return;
  CAPTURE(uid, cgroup, transport);
  CHECK(is_said_by({uid, cgroup, transport}, "shop:web/0", {{500}, {600}, own}) == want);
}
