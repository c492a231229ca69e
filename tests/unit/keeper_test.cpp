// SPDX-License-Identifier: Apache-2.0
// The pure parts of the keeper and of its client: tables, requests, cookies, /proc, users.
#include <cstring>
#include <fstream>
#include <map>
#include <random>

#include "keeper/table.h"
#include "keeper/wire.h"
#include "kernel/cgroups.h"
#include "kernel/launch_record.h"
#include "kernel/proc.h"
#include "kernel/users.h"
#include "support/catch.h"

using namespace svd;

namespace {

LaunchPlan full_plan() {
  LaunchPlan plan;
  plan.id = StartId{42};
  plan.argv = {"tool", "", "with blanks"};
  plan.envp = {"PATH=/one::/two", "EMPTY="};
  plan.cwd = "/srv";
  plan.rlimits = {{7, {10, 20}}, {4, {Rlimit::unlimited, Rlimit::unlimited}}};
  plan.umask = 0;
  plan.nice = -5;
  plan.oom_score_adj = 0;
  plan.stop.signal = 2;
  plan.stop.timeout = Millis{1500};
  plan.stop.kill = KillTarget::main;
  return plan;
}

std::string message_of(std::uint32_t count, const std::string& records) {
  const keeper::Header header{keeper::Type::spawn, keeper::version, count};
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + records;
}

std::vector<std::string> strings(char* const* from) {
  std::vector<std::string> found;
  for (; *from != nullptr; ++from) found.emplace_back(*from);
  return found;
}

}  // namespace

TEST_CASE("a start arrives at the keeper as it was asked for", "[keeper][wire]") {
  const auto plan = full_plan();
  LaunchDetails details;
  details.identity.uid = 33;
  details.identity.gid = 34;
  details.identity.groups = std::vector<std::uint32_t>{35, 36, 37};
  details.cgroup = "shop:web/0.42";
  details.cookie = std::string("a\0b", 3);
  details.stdio = keeper::Stdio::path;
  details.stdio_path = "/var/log/web.log";
  details.held = {"listener:shop:web:http", "x"};
  details.has_channel = true;
  auto bytes = message_of(2, launch_record(plan, details) + launch_record(plan, details));
  keeper::Message message;
  REQUIRE(keeper::open_message(bytes.data(), bytes.size(), message));
  for (int i = 0; i < 2; ++i) {
    keeper::Launch launch;
    REQUIRE(keeper::next_spawn(message, launch) == keeper::Next::record);
    const auto& spawn = *launch.spawn;
    CHECK(spawn.id == 42);
    CHECK(strings(launch.argv) == plan.argv);
    CHECK(strings(launch.envp) == plan.envp);
    CHECK(strings(launch.exec) == std::vector<std::string>{"/one/tool", "./tool", "/two/tool"});
    CHECK(std::string{launch.cwd} == "/srv");
    CHECK(std::string{launch.cgroup} == "shop:web/0.42");
    CHECK(std::string{launch.stdio_path} == "/var/log/web.log");
    CHECK(std::string(launch.cookie, spawn.cookie_size) == details.cookie);
    REQUIRE(spawn.rlimit_count == 2);
    CHECK((launch.limits[0].resource == 4 && launch.limits[0].soft == ~0ULL));
    CHECK((launch.limits[1].resource == 7 && launch.limits[1].soft == 10 && launch.limits[1].hard == 20));
    CHECK(std::vector<std::uint32_t>(launch.groups, launch.groups + spawn.group_count) ==
          *details.identity.groups);
    REQUIRE(spawn.passed_count == 3);
    CHECK(std::string{launch.name(launch.passed[0])} == details.held[0]);
    CHECK(std::string{launch.name(launch.passed[1])} == details.held[1]);
    CHECK(launch.name(launch.passed[2]) == nullptr);
    CHECK(launch.passed[2].attached == 0);
    CHECK((spawn.uid == 33 && spawn.gid == 34 && spawn.umask == 0 && spawn.nice == -5 &&
           spawn.oom_score_adj == 0));
    CHECK(spawn.given ==
          (keeper::given_user | keeper::given_group | keeper::given_groups | keeper::given_umask |
           keeper::given_nice | keeper::given_oom | keeper::given_session));
    CHECK((spawn.stop.signal == 2 && spawn.stop.timeout == 1500 && spawn.stop.whom == keeper::Whom::main));
  }
  keeper::Launch launch;
  CHECK(keeper::next_spawn(message, launch) == keeper::Next::end);
}

TEST_CASE("a start that points outside of itself is refused, whichever field it is", "[keeper][wire]") {
  struct Case {
    std::size_t field;
    std::uint32_t value;
  };
  const auto [field, value] = GENERATE(
      Case{offsetof(keeper::Spawn, argv), 0}, Case{offsetof(keeper::Spawn, argv), sizeof(keeper::Spawn) + 1},
      Case{offsetof(keeper::Spawn, argv), 0xfffffff8}, Case{offsetof(keeper::Spawn, argv), 8},
      Case{offsetof(keeper::Spawn, argc), 0}, Case{offsetof(keeper::Spawn, argc), 0xffffffff},
      Case{offsetof(keeper::Spawn, envc), 0x20000000}, Case{offsetof(keeper::Spawn, execc), 0},
      Case{offsetof(keeper::Spawn, cwd), 1}, Case{offsetof(keeper::Spawn, cwd), 0x7fffffff},
      Case{offsetof(keeper::Spawn, cookie_size), keeper::max_cookie + 1},
      Case{offsetof(keeper::Spawn, rlimit_count), 0x0aaaaaab},
      Case{offsetof(keeper::Spawn, passed_count), keeper::max_passed + 1},
      Case{offsetof(keeper::Spawn, passed), 0x7ffffff8}, Case{offsetof(keeper::Spawn, passed), 8},
      Case{offsetof(keeper::Spawn, id), 0});
  auto record = launch_record(full_plan(), {.held = {"one"}, .has_channel = true});
  std::memcpy(record.data() + field, &value, sizeof value);
  auto bytes = message_of(1, record);
  keeper::Message message;
  REQUIRE(keeper::open_message(bytes.data(), bytes.size(), message));
  keeper::Launch launch;
  CAPTURE(field, value);
  CHECK(keeper::next_spawn(message, launch) == keeper::Next::bad);
  CHECK(keeper::next_spawn(message, launch) == keeper::Next::end);
}

TEST_CASE("a descriptor's name is one of 1 to 255 bytes inside the record", "[keeper][wire]") {
  const auto name = GENERATE(std::string{}, std::string(keeper::max_name + 1, 'n'));
  auto bytes = message_of(1, launch_record(full_plan(), {.held = {name}}));
  keeper::Message message;
  keeper::Launch launch;
  REQUIRE(keeper::open_message(bytes.data(), bytes.size(), message));
  CHECK(keeper::next_spawn(message, launch) == keeper::Next::bad);

  auto record = launch_record(full_plan(), {.held = {"one"}});
  keeper::Spawn head;
  std::memcpy(&head, record.data(), sizeof head);
  for (const std::uint32_t offset : {1U, 119U, head.size, 0xffffffffU}) {
    std::memcpy(record.data() + head.passed, &offset, sizeof offset);
    bytes = message_of(1, record);
    REQUIRE(keeper::open_message(bytes.data(), bytes.size(), message));
    CHECK(keeper::next_spawn(message, launch) == keeper::Next::bad);
  }
}

TEST_CASE("attached descriptors are counted from where a record's own begin", "[keeper][wire]") {
  auto record =
      launch_record(full_plan(), {.stdio = keeper::Stdio::fd, .held = {"one"}, .has_channel = true});
  shift_attached(record, 40);
  auto bytes = message_of(1, record);
  keeper::Message message;
  keeper::Launch launch;
  REQUIRE(keeper::open_message(bytes.data(), bytes.size(), message));
  REQUIRE(keeper::next_spawn(message, launch) == keeper::Next::record);
  CHECK(launch.spawn->stdio_fd == 40);
  CHECK(launch.passed[1].attached == 41);
  CHECK(std::string{launch.name(launch.passed[0])} == "one");
}

TEST_CASE("a message that breaks off is broken, and one of another version is none", "[keeper][wire]") {
  auto bytes = message_of(1, launch_record(full_plan(), {}));
  keeper::Message message;
  keeper::Launch launch;
  REQUIRE(keeper::open_message(bytes.data(), bytes.size() - 8, message));
  CHECK(keeper::next_spawn(message, launch) == keeper::Next::broken);
  bytes[2] = 99;
  CHECK_FALSE(keeper::open_message(bytes.data(), bytes.size(), message));
  CHECK_FALSE(keeper::open_message(bytes.data(), 7, message));
}

TEST_CASE("the children's table finds by id and pid whatever came and went", "[keeper][table][property]") {
  static keeper::Children table;  // large: static, as in the keeper
  std::mt19937 random{Catch::rngSeed()};
  const auto below = [&](unsigned limit) { return std::uniform_int_distribution{0U, limit - 1}(random); };
  struct Expected {
    std::int32_t pid;
    bool ended;
    std::string cookie;
  };
  std::map<std::uint64_t, Expected> expected;
  std::uint64_t next_id = 1;
  for (int step = 0; step < 20'000; ++step) {
    const auto some = [&] {
      return std::next(expected.begin(), below(static_cast<unsigned>(expected.size())));
    };
    if (expected.empty() || (below(3) == 0 && expected.size() < 2'000)) {
      const auto pid = static_cast<std::int32_t>(2 + next_id % 30'000 +
                                                 (below(4) == 0 ? 65'536 : 0));  // collide in the index
      const auto id = next_id++;
      if (table.by_pid(pid) != nullptr) continue;
      auto* const entry = table.add(id, pid, {});
      REQUIRE(entry != nullptr);
      std::string cookie(below(200), static_cast<char>('a' + id % 26));
      table.keep(*entry, "app/0", 5, cookie.data(), static_cast<std::uint32_t>(cookie.size()));
      expected[id] = {pid, false, std::move(cookie)};
    } else if (auto one = some(); !one->second.ended) {
      table.finish(*table.by_id(one->first), keeper::Ended::code, 7, false, 1);
      one->second.ended = true;
    } else {
      table.forget(*table.by_id(one->first));
      expected.erase(one);
    }
  }
  std::size_t alive = 0;
  for (const auto& [id, want] : expected) {
    auto* const entry = table.by_id(id);
    REQUIRE(entry != nullptr);
    CHECK((table.by_pid(want.pid) == entry) == !want.ended);
    std::string text(5 + want.cookie.size(), '\0');
    table.blobs().get(entry->blob, text.data(), static_cast<std::uint32_t>(text.size()));
    CHECK(text == "app/0" + want.cookie);
    if (!want.ended) ++alive;
  }
  CHECK(table.alive() == alive);
  CHECK(table.known() == expected.size());
  CHECK(table.add(expected.begin()->first, 99'999, {}) == nullptr);  // in use
}

TEST_CASE("the table refuses what it has no room for, and takes it when there is room again",
          "[keeper][table]") {
  static keeper::Children table;
  for (std::uint64_t id = 1; id <= keeper::max_children; ++id)
    REQUIRE(table.add(id, static_cast<std::int32_t>(id + 1), {}) != nullptr);
  CHECK_FALSE(table.fits(0));
  CHECK(table.add(99'999, 99'999, {}) == nullptr);
  table.finish(*table.by_id(5), keeper::Ended::code, 0, false, 0);
  table.forget(*table.by_id(5));
  CHECK(table.add(99'999, 99'999, {}) != nullptr);
}

TEST_CASE("descriptors are found by name whatever came and went", "[keeper][table][property]") {
  static keeper::Held held;
  static keeper::Blobs blobs;
  std::mt19937 random{Catch::rngSeed()};
  const auto below = [&](unsigned limit) { return std::uniform_int_distribution{0U, limit - 1}(random); };
  std::map<std::string, int> expected;
  for (int step = 0; step < 20'000; ++step) {
    const auto name = "listener:" + std::to_string(below(3'000));
    const auto size = static_cast<std::uint32_t>(name.size());
    if (below(5) < 3) {
      const int fd = 1'000'000 + step;  // none of ours: close() fails on it
      REQUIRE(held.put(blobs, name.data(), size, fd));
      expected[name] = fd;
    } else {
      held.release(blobs, name.data(), size);
      expected.erase(name);
    }
  }
  CHECK(held.count() == expected.size());
  for (unsigned i = 0; i < 3'000; ++i) {
    const auto name = "listener:" + std::to_string(i);
    const auto found = expected.find(name);
    CHECK(held.find(blobs, name.data(), static_cast<std::uint32_t>(name.size())) ==
          (found == expected.end() ? -1 : found->second));
  }
}

TEST_CASE("what is to be told keeps its order, and an untold exit is not forgotten", "[keeper][table]") {
  static keeper::Children table;
  for (std::uint64_t id = 1; id <= 3; ++id)
    table.report(*table.add(id, static_cast<std::int32_t>(id + 1), {}), keeper::unsent_spawned);
  table.finish(*table.by_id(1), keeper::Ended::code, 0, false, 0);
  table.report(*table.by_id(1), keeper::unsent_exited);
  table.forget(*table.by_id(1));
  REQUIRE(table.by_id(1) != nullptr);
  std::vector<std::uint64_t> order;
  while (auto* const entry = table.first_unsent()) {
    order.push_back(entry->id);
    table.sent_first();
  }
  CHECK(order == std::vector<std::uint64_t>{1, 2, 3});
  table.forget(*table.by_id(1));
  CHECK(table.by_id(1) == nullptr);
}

TEST_CASE("a cookie comes back as it went", "[keeper][cookie]") {
  KnownChild child;
  child.id = StartId{7};
  child.slot = {{Name::parse(std::string(63, 'e')).value(), Name::parse(std::string(63, 'a')).value()},
                4'000'000'000};
  child.revision = 8;
  child.generation = ~0ULL;
  child.pid = 123;
  child.started = WallTime{-5};
  const auto cookie = encode_cookie(child);
  CHECK(cookie.size() <= keeper::max_cookie);
  const auto back = decode_cookie(cookie);
  REQUIRE(back.has_value());
  CHECK(back->id == child.id);
  CHECK(back->slot == child.slot);
  CHECK(back->revision == child.revision);
  CHECK(back->generation == child.generation);
  CHECK(back->pid == child.pid);
  CHECK(back->started == child.started);
  for (std::size_t size = 0; size < 48; ++size)
    CHECK_FALSE(decode_cookie(cookie.substr(0, size)).has_value());
  CHECK_FALSE(decode_cookie(std::string(100, 'x')).has_value());
}

TEST_CASE("a leaf's path says whose it is, and other directories are none", "[cgroups]") {
  const SlotId slot{{Name::parse("shop").value(), Name::parse("web.v2").value()}, 3};
  CHECK(Cgroups::leaf(slot, StartId{17}) == "shop:web.v2/3.17");
  const auto back = Cgroups::parse_leaf("shop:web.v2/3.17");
  REQUIRE(back.has_value());
  CHECK(back->slot == slot);
  CHECK(back->id == StartId{17});
  for (const auto* const path :
       {"shop:web", "shop/3.17", "shop:web/3", "shop:web/3.0", "shop:web/x.1", "shop:web/3.1x", ":web/1.1"})
    CHECK_FALSE(Cgroups::parse_leaf(path).has_value());
}

TEST_CASE("the v2 hierarchy is where mountinfo says, not where one would guess", "[cgroups][proc]") {
  const auto hybrid = find_cgroup2_mount(
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 master:1 - cgroup2 cgroup2 rw\n");
  REQUIRE(hybrid.has_value());
  CHECK(hybrid->root == "/");
  CHECK(hybrid->point == "/sys/fs/cgroup/unified");
  CHECK(find_cgroup2_mount("1 1 0:1 /docker/x /mnt/a\\040b rw - cgroup2 none rw\n")->point == "/mnt/a b");
  CHECK_FALSE(find_cgroup2_mount("1 1 0:1 / /sys/fs/cgroup rw - cgroup cgroup rw\n").has_value());
  CHECK(find_own_cgroup("3:cpuset:/\n0::/user.slice/x\n") == "/user.slice/x");
  CHECK_FALSE(find_own_cgroup("3:cpuset:/\n").has_value());
  CHECK(path_below("/", "/") == "");
  CHECK(path_below("/", "/a") == "/a");
  CHECK(path_below("/docker/x", "/docker/x") == "");
  CHECK(path_below("/docker/x", "/docker/x/y") == "/y");
  CHECK_FALSE(path_below("/docker/x", "/docker/xy").has_value());
  CHECK_FALSE(path_below("/", "/../outside").has_value());
}

TEST_CASE("a process's stat is read whatever its name is", "[proc]") {
  const auto stat =
      parse_stat("77 (a) S (b) R) T 1 77 66 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 100 1");
  REQUIRE(stat.has_value());
  CHECK(stat->state == 'T');
  CHECK(stat->session == 66);
  CHECK(stat->start_ticks == 987654);
  CHECK_FALSE(parse_stat("").has_value());
  CHECK_FALSE(parse_stat("77 (a) T 1 77").has_value());
  CHECK(parse_pids("12\n0\n345\n") == std::vector<std::int64_t>{12, 345});
  CHECK(parse_pids("").empty());
}

TEST_CASE("users and groups are found by name and number, or named as missing", "[users]") {
  const std::string passwd = "/tmp/svd-test-passwd-" + std::to_string(::getpid());
  const std::string group = "/tmp/svd-test-group-" + std::to_string(::getpid());
  std::ofstream{passwd} << "web:x:33:34::/srv/web:/bin/sh\nother:x:40:41::/:/bin/false\n";
  std::ofstream{group} << "web:x:34:\nmail:x:8:web,other\nadm:x:4:web\nempty:x:50:\n";
  const Users users{passwd, group};

  const auto web = users.resolve("web", "", {});
  REQUIRE(web.has_value());
  CHECK(web->uid == 33U);
  CHECK(web->gid == 34U);
  CHECK(*web->groups == std::vector<std::uint32_t>{4, 8, 34});
  CHECK((web->name == "web" && web->home == "/srv/web" && web->shell == "/bin/sh"));
  CHECK(users.resolve("33", "", {})->name == "web");

  const auto mixed = users.resolve("web", "empty", {"999", "mail"});
  REQUIRE(mixed.has_value());
  CHECK(mixed->gid == 50U);
  CHECK(*mixed->groups == std::vector<std::uint32_t>{4, 8, 50, 999});

  CHECK_FALSE(users.resolve("", "", {})->uid.has_value());
  CHECK(users.resolve("1000", "34", {})->uid == 1000U);
  CHECK(users.resolve("", "mail", {})->gid == 8U);
  CHECK(users.resolve("nope", "", {}).error() == StartFailure{StartStage::user, ENOENT, "nope"});
  CHECK(users.resolve("1000", "", {}).error() ==
        StartFailure{StartStage::user, ENODATA, "1000"});  // which group?
  CHECK(users.resolve("4294967295", "34", {}).error().stage ==
        StartStage::user);  // means "no change" to the kernel
  std::ofstream{passwd, std::ios::app} << "all:x:4294967295:34:::\nto_all:x:44:4294967295:::\n-nis\n+:::\n";
  std::ofstream{group, std::ios::app} << "all:x:4294967295:web\n-nis\n";
  CHECK(users.resolve("all", "", {}).error().stage == StartStage::user);
  CHECK(users.resolve("to_all", "", {}).error().stage == StartStage::user);
  CHECK(users.resolve("web", "all", {}).error().stage == StartStage::group);
  CHECK(*users.resolve("web", "", {})->groups == std::vector<std::uint32_t>{4, 8, 34});
  CHECK((users.resolve("-nis", "", {})->home.empty() && users.resolve("-nis", "", {})->shell.empty()));
  CHECK(users.resolve("web", "nope", {}).error() == StartFailure{StartStage::group, ENOENT, "nope"});
  CHECK(users.resolve("web", "", {"nope"}).error() == StartFailure{StartStage::groups, ENOENT, "nope"});

  // That it cannot be read says nothing about who is in it; that there is none does.
  const auto loop = passwd + "-loop";
  REQUIRE(::symlink(loop.c_str(), loop.c_str()) == 0);
  CHECK(Users{loop, group}.resolve("web", "", {}).error() == StartFailure{StartStage::user, ELOOP, "web"});
  CHECK(Users{passwd, loop}.resolve("web", "", {}).error() == StartFailure{StartStage::groups, ELOOP, "web"});
  ::unlink(loop.c_str());
  CHECK(Users{loop, loop}.resolve("web", "", {}).error() == StartFailure{StartStage::user, ENOENT, "web"});
  std::remove(passwd.c_str());
  std::remove(group.c_str());
}
