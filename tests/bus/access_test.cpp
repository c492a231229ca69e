// SPDX-License-Identifier: Apache-2.0
// Who may do what, by the kernel's word. The strangers are children that give up root, so this needs to start
// as root.
#include <grp.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "bus/harness.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

constexpr std::uint32_t nobody = 65534;
constexpr std::uint32_t svd_group = 54321;

// A directory of our own user and group files.
struct Files {
  std::string group, user;
  Files() {
    char name[] = "/tmp/svd-users-XXXXXX";
    directory_ = ::mkdtemp(name);
    group = directory_ + "/group";
    user = directory_ + "/passwd";
    std::ofstream{group} << "root:x:0:\nsvd:x:54321:ann,bob\n";
    std::ofstream{user} << "root:x:0:0::/:/bin/sh\nann:x:4242:4242::/:/bin/sh\n";
  }
  ~Files() {
    ::unlink(group.c_str());
    ::unlink(user.c_str());
    ::rmdir(directory_.c_str());
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  [[nodiscard]] bus::AccessRules rules(std::uint32_t own_uid = 0) const {
    return {.own_uid = own_uid, .group = "svd", .group_file = group, .user_file = user};
  }

 private:
  std::string directory_;
};

struct Who {
  std::uint32_t uid = 0;
  std::vector<gid_t> groups;
};

// Calls a method without arguments, or Shutdown(false), as `who`, from a process of its own. Prints "ok" or
// the error.
Ended call_as(Harness& harness, const Who& who, const char* member) {
  return harness.in_child([&]() -> int {
    if (::setgroups(who.groups.size(), who.groups.data()) != 0 || ::setgid(who.uid) != 0 ||
        ::setuid(who.uid) != 0)
      return 99;
    sd_bus* raw = nullptr;
    sd_bus_new(&raw);
    sd_bus_set_address(raw, harness.address().c_str());
    sd_bus_set_bus_client(raw, 1);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = sd_bus_start(raw);
    const std::string name = member;
    if (r >= 0) {
      if (name == "Shutdown")
        r = sd_bus_call_method(raw, "org.svd1", "/org/svd1", "org.svd1.Manager", member, &error, nullptr, "b",
                               0);
      else if (name == "Reexecute")
        r = sd_bus_call_method(raw, "org.svd1", "/org/svd1", "org.svd1.Manager", member, &error, nullptr, "");
      else
        r = sd_bus_call_method(raw, "org.svd1", "/org/svd1", "org.svd1.Manager", member, &error, nullptr,
                               "as", 0);
    }
    std::printf("%s", r >= 0 ? "ok" : (error.message != nullptr ? error.message : "closed"));
    std::fflush(stdout);
    sd_bus_error_free(&error);
    sd_bus_close_unref(raw);
    return r >= 0 ? 0 : 1;
  });
}

bool may_test() {
  if (::geteuid() == 0) return true;
  WARN("skipped: changing users needs root");
  return false;
}

}  // namespace

TEST_CASE("root and the daemon's own user may do everything", "[bus][access]") {
  if (!may_test()) return;
  const Files files;
  Harness harness{{}, files.rules(nobody)};
  CHECK(call_as(harness, {0, {}}, "Reexecute").output == "ok");
  CHECK(call_as(harness, {nobody, {}}, "Shutdown").output == "ok");
  CHECK(harness.control.calls == std::vector<std::string>{"shutdown by 65534"});
}

TEST_CASE("members of the group may do everything but end the daemon", "[bus][access]") {
  if (!may_test()) return;
  const Files files;
  Harness harness{{}, files.rules()};
  const auto who =
      GENERATE(Who{nobody, {svd_group}}, Who{4242, {}});  // holds the group; is listed in the file
  CAPTURE(who.uid);
  CHECK(call_as(harness, who, "ListApps").output == "ok");
  CHECK(call_as(harness, who, "Stop").output == "ok");
  CHECK(call_as(harness, who, "Reload").output == "ok");
  CHECK_THAT(call_as(harness, who, "Shutdown").output, ContainsSubstring("cannot end or restart the daemon"));
  CHECK_THAT(call_as(harness, who, "Reexecute").output,
             ContainsSubstring("cannot end or restart the daemon"));
  CHECK(harness.host.reexecutions == 0);
  const std::string name = who.uid == 4242 ? "ann" : "65534";
  CHECK(harness.control.calls == std::vector<std::string>{"stop by " + name, "reload by " + name});
}

TEST_CASE("strangers are told that they may not, and get nothing else", "[bus][access]") {
  if (!may_test()) return;
  const Files files;
  Harness harness{{}, files.rules()};
  const auto told = call_as(harness, {nobody, {}}, "ListApps");
  CHECK(told.status == 1);
  CHECK_THAT(told.output, ContainsSubstring("denied"));  // libsystemd keeps the error's name, not its text
  CHECK(harness.control.calls.empty());
  REQUIRE(harness.host.lines.size() == 1);
  CHECK_THAT(harness.host.lines[0], ContainsSubstring("uid 65534"));
}

TEST_CASE("without a group file nobody but root and the own user comes in", "[bus][access]") {
  if (!may_test()) return;
  Harness harness{
      {},
      bus::AccessRules{
          .own_uid = 0, .group = "svd", .group_file = "/nonexistent", .user_file = "/nonexistent"}};
  CHECK(call_as(harness, {nobody, {svd_group}}, "ListApps").status == 1);
  CHECK(call_as(harness, {0, {}}, "Stop").output == "ok");
  CHECK(harness.control.calls == std::vector<std::string>{"stop by 0"});
}

TEST_CASE("the group's number is found by name", "[bus][access]") {
  const Files files;
  CHECK(*bus::group_id(files.rules()) == svd_group);
  auto rules = files.rules();
  rules.group = "sv";
  CHECK_FALSE(bus::group_id(rules));
}
