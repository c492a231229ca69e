// SPDX-License-Identifier: Apache-2.0
// Each restriction by a program that tries to do what it must not. They need root; which the tests have where
// they are run for real.
#include <sys/prctl.h>

#include <csignal>

#include "kernel/syscall_filter.h"
#include "processes_support.h"
#include "support/catch.h"
#include "support/other_user.h"

using namespace svd;
using namespace svd::test;

namespace {

bool may_test() {
  if (::geteuid() == 0) return true;
  WARN("skipped: restrictions are set by root");
  return false;
}

// What a shell says that runs `script` under `harden`, and how it ends.
struct Said {
  std::string output;
  ExitStatus status;
};

Said says(Lab& lab, const std::string& script, const std::function<void(LaunchPlan&)>& change) {
  auto plan = lab.plan({"sh", "-c", "{ " + script + "; } 2>&1"});
  change(plan);
  const auto id = plan.id;
  auto output = lab.output(std::move(plan));
  return {std::move(output), lab.exit_of(id)};
}

constexpr std::uint32_t nobody = 65534;

}  // namespace

TEST_CASE("a read-only tree cannot be written to, but for its exceptions", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const TempDir tree;
  std::filesystem::create_directories(tree / "data");
  const auto said =
      says(lab, "echo a >" + (tree / "file") + "; echo b >" + (tree / "data/file") + " && echo written",
           [&](LaunchPlan& plan) {
             plan.harden.read_only = {tree.path()};
             plan.harden.read_write = {tree / "data"};
           });
  CHECK_THAT(said.output, ContainsSubstring("Read-only file system"));
  CHECK_THAT(said.output, ContainsSubstring("written"));
  CHECK_FALSE(std::filesystem::exists(tree / "file"));
  CHECK(slurp(tree / "data/file") == "b\n");
  std::ofstream{tree / "file"} << "outside nothing has changed";
  CHECK(std::filesystem::exists(tree / "file"));
}

TEST_CASE("with / read-only nothing but the kernel's own trees is writable", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const auto said =
      says(lab, "echo a >/etc/svd-must-not; echo b >/var/tmp/svd-must-not; echo c >/dev/null && echo null",
           [](LaunchPlan& plan) { plan.harden.read_only = {"/"}; });
  CHECK_FALSE(std::filesystem::exists("/etc/svd-must-not"));
  CHECK_FALSE(std::filesystem::exists("/var/tmp/svd-must-not"));
  CHECK_THAT(said.output, ContainsSubstring("null"));
}

TEST_CASE("a private /tmp is empty and its own", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const TempDir outside;  // in /tmp
  const auto said =
      says(lab, "ls -A /tmp /var/tmp; echo x >/tmp/svd-private && echo written", [](LaunchPlan& plan) {
        plan.cwd = "/";
        plan.harden.private_tmp = true;
      });
  CHECK(said.output == "/tmp:\n\n/var/tmp:\nwritten\n");
  CHECK_FALSE(std::filesystem::exists("/tmp/svd-private"));
}

TEST_CASE("what is inaccessible looks empty, also to root", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const TempDir tree;
  std::ofstream{tree / "secret"} << "the secret";
  std::filesystem::create_directories(tree / "directory");
  std::ofstream{tree / "directory/file"} << "inside";
  const auto said = says(
      lab,
      "cat " + (tree / "secret") + "; ls -A " + (tree / "directory") + "; touch " + (tree / "directory/new"),
      [&](LaunchPlan& plan) {
        plan.harden.inaccessible = {tree / "secret", tree / "directory"};
      });
  CHECK_THAT(said.output, !ContainsSubstring("the secret"));
  CHECK_THAT(said.output, !ContainsSubstring("file\n"));
  CHECK_FALSE(std::filesystem::exists(tree / "directory/new"));
}

TEST_CASE("a dropped capability is gone for root", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const auto said = says(lab, "grep CapBnd /proc/self/status; chown nobody /dev/null", [](LaunchPlan& plan) {
    plan.harden.capabilities = std::uint64_t{1} << 5;  // CAP_KILL
  });
  CHECK_THAT(said.output, ContainsSubstring("CapBnd:\t0000000000000020"));
  CHECK_THAT(said.output, ContainsSubstring("Operation not permitted"));
}

TEST_CASE("an ambient capability is kept by a user who is not root", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  std::filesystem::permissions(lab.home.path(), std::filesystem::perms{0755});
  const auto said = says(lab, "id -u; grep CapEff /proc/self/status", [](LaunchPlan& plan) {
    plan.user = "nobody";
    plan.harden.ambient = std::uint64_t{1} << 10;  // CAP_NET_BIND_SERVICE
  });
  CHECK_THAT(said.output, ContainsSubstring(std::to_string(nobody)));
  CHECK_THAT(said.output, ContainsSubstring("CapEff:\t0000000000000400"));
}

TEST_CASE("no new privileges are said by the kernel", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const auto said = says(lab, "grep NoNewPrivs /proc/self/status",
                         [](LaunchPlan& plan) { plan.harden.no_new_privileges = true; });
  CHECK(said.output == "NoNewPrivs:\t1\n");
}

TEST_CASE("a system call that is not allowed ends the process with SIGSYS", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  SECTION("allowed: a group") {
    const auto said = says(lab, "echo fine; exec mount -t tmpfs none /mnt",
                           [](LaunchPlan& plan) { plan.harden.syscalls = {"@system-service"}; });
    CHECK_THAT(said.output, ContainsSubstring("fine"));
    CHECK(said.status == ExitStatus{ExitStatus::Kind::signal, SIGSYS, said.status.core_dumped});
  }
  SECTION("denied: one call") {
    const auto said = says(lab, "echo fine; exec mkdir " + (lab.home / "new"), [](LaunchPlan& plan) {
      plan.harden.syscalls = {"~mkdir", "mkdirat"};
    });
    CHECK(said.status == ExitStatus{ExitStatus::Kind::signal, SIGSYS, said.status.core_dumped});
    CHECK_FALSE(std::filesystem::exists(lab.home / "new"));
  }
  SECTION("a name that nobody knows refuses the start") {
    auto plan = lab.plan({"true"});
    plan.harden.syscalls = {"no_such_call"};
    CHECK(lab.fail_to_start(std::move(plan)) == StartFailure{StartStage::hardening, EINVAL, "no_such_call"});
  }
}

TEST_CASE("every group of system calls can be resolved", "[harden]") {
  for (const char* group : {"@default", "@basic-io", "@file-system", "@network-io", "@mount", "@privileged",
                            "@system-service", "@known"}) {
    CAPTURE(group);
    CHECK(syscall_group(group).empty() == (std::string{group} == "@known"));
  }
  CHECK(syscall_filter({"@system-service"}));
  CHECK_FALSE(syscall_filter({"@nonsense"}));
}

TEST_CASE("processes of others are invisible in a protected /proc", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  std::filesystem::permissions(lab.home.path(), std::filesystem::perms{0755});
  const auto said = says(lab, "ls -d /proc/1 || true; ls -d /proc/$$", [](LaunchPlan& plan) {
    plan.user = "nobody";
    plan.harden.protect_proc = true;
  });
  CHECK_THAT(said.output, ContainsSubstring("/proc/1': No such file"));
}

TEST_CASE("a scheduling policy is the kernel's", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  const auto said = says(lab, "grep '^policy' /proc/self/sched || cut -d ' ' -f 41 /proc/self/stat",
                         [](LaunchPlan& plan) { plan.scheduling.policy = Scheduling::Policy::batch; });
  CHECK_THAT(said.output, ContainsSubstring("3"));
}

TEST_CASE("credentials are files that the instance alone can read, and that nobody finds elsewhere",
          "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  std::filesystem::permissions(lab.home.path(), std::filesystem::perms{0755});
  std::ofstream{lab.home / "db.secret"} << "s3cret";
  std::filesystem::permissions(lab.home / "db.secret", std::filesystem::perms{0600});
  const auto said =
      says(lab,
           "cat \"$CREDENTIALS_DIRECTORY/db\"; echo; stat -c %a:%u \"$CREDENTIALS_DIRECTORY/db\"; "
           "echo x >\"$CREDENTIALS_DIRECTORY/new\"; stat -f -c %T \"$CREDENTIALS_DIRECTORY\"; env",
           [&](LaunchPlan& plan) {
             plan.user = "nobody";
             plan.credentials = {{"db", lab.home / "db.secret"}};
           });
  CHECK_THAT(said.output, ContainsSubstring("s3cret\n400:" + std::to_string(nobody)));
  CHECK_THAT(said.output, ContainsSubstring("ramfs"));
  CHECK(said.output.find("s3cret", said.output.find("400:")) == std::string::npos);  // not in the environment
  for (const auto& entry : std::filesystem::recursive_directory_iterator{lab.home / "run"})
    if (entry.is_regular_file()) CHECK(slurp(entry.path()).find("s3cret") == std::string::npos);
}

TEST_CASE("a credential that cannot be read refuses the start", "[process][harden]") {
  if (!may_test()) return;
  Lab lab;
  auto plan = lab.plan({"true"});
  plan.credentials = {{"db", "/nonexistent/secret"}};
  CHECK(lab.fail_to_start(std::move(plan)) ==
        StartFailure{StartStage::hardening, ENOENT, "/nonexistent/secret"});
}

namespace {

// What a user can exchange on the way to a tree that is mounted for his app.
struct Trees {
  Trees() {
    std::filesystem::create_directories(home / "his/data");
    std::filesystem::create_directories(home / "root");
    std::ofstream{home / "root/precious"} << "of root";
    std::ofstream{home / "his/data/precious"} << "forged";
    REQUIRE(::chmod(home.path().c_str(), 0755) == 0);
    for (const auto* name : {"his", "his/data", "his/data/precious"})
      REQUIRE(::lchown((home / name).c_str(), user.uid, user.gid) == 0);
    REQUIRE(user.does([&] { return ::symlink((home / "root").c_str(), (home / "his/link").c_str()) == 0; }));
  }
  OtherUser user;
  TempDir home;
};

}  // namespace

TEST_CASE("a tree that a user's link leads to is not mounted, made read-only or hidden",
          "[process][harden][paths]") {
  if (only_for_root()) return;
  const Trees trees;
  Lab lab;
  auto plan = lab.plan({"true"});
  plan.user = trees.user.name();
  plan.cwd = "/";
  const auto path = trees.home / "his/link";
  SECTION("read-write") { plan.harden.read_write = {path}; }
  SECTION("read-only") { plan.harden.read_only = {path}; }
  SECTION("inaccessible") { plan.harden.inaccessible = {path}; }
  const auto id = plan.id;
  lab.processes->spawn(std::move(plan));
  lab.processes->flush();
  REQUIRE(
      lab.run_until([&] { return lab.find<SpawnFailed>(id) != nullptr || lab.find<Exited>(id) != nullptr; }));
  REQUIRE(lab.find<SpawnFailed>(id) != nullptr);
  CHECK(lab.find<SpawnFailed>(id)->why.stage == StartStage::hardening);
  CHECK(lab.find<SpawnFailed>(id)->why.err == ELOOP);
}

TEST_CASE("a tree that a user exchanges meanwhile is never mounted over another one",
          "[process][harden][paths]") {
  if (only_for_root()) return;
  constexpr int starts = 300;
  const Trees trees;
  Lab lab;
  const Meanwhile he{trees.user, [a = trees.home / "his/data", b = trees.home / "his/link"] {
                       ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
                     }};
  int forged = 0;
  for (int i = 0; i < starts; ++i) {
    auto plan = lab.plan({"grep", "-q", "forged", trees.home / "root/precious"});
    plan.cwd = "/";
    plan.harden.read_write = {trees.home / "his/data"};
    const auto id = plan.id;
    lab.processes->spawn(std::move(plan));
    lab.processes->flush();
    REQUIRE(lab.run_until(
        [&] { return lab.find<SpawnFailed>(id) != nullptr || lab.find<Exited>(id) != nullptr; }));
    const auto* const ended = lab.find<Exited>(id);
    if (ended != nullptr && ended->status == ExitStatus{ExitStatus::Kind::code, 0}) ++forged;
  }
  CHECK(forged == 0);
}
