// SPDX-License-Identifier: Apache-2.0
// The state directory: one whole state or the one before, whatever happens to the disk, and never the end of
// the daemon.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <random>

#include "files/io.h"
#include "kernel/state_format.h"
#include "kernel/state_store.h"
#include "state_support.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::test;

namespace {

Revision revision(std::uint64_t number, const std::string& ecosystem = "shop") {
  Revision made;
  made.view.ecosystem = Name::parse(ecosystem).value();
  made.view.number = number;
  made.view.when = {1'769'860'800'000'000 + static_cast<std::int64_t>(number)};
  made.view.who = "root (uid 0)";
  made.view.outcome = "failed: web: \"signal SIGKILL\"\nsecond line";
  made.view.file = "/srv/shop/eco.yaml";
  made.view.summary = "web: replace 4 instances";
  made.view.current = number % 2 == 0;
  made.source.text = std::string{"name: shop\n\0binary\xff"} + std::to_string(number) + "\n";
  made.source.text += std::string(1, '\0');
  made.source.file = "/srv/shop/eco.yaml";
  made.source.directory = "/srv/shop";
  made.source.profile = "production";
  made.source.env_files = {{"/srv/shop/.env", "A=1\nB=\xfe\n"}, {"/srv/shop/empty", ""}};
  made.source.pass_env = {{"HTTP_PROXY", "http://proxy"}, {"EMPTY", ""}};
  made.source.cpus = 64;
  return made;
}

bool same(const Revision& a, const Revision& b) {
  return a.source == b.source && a.view.ecosystem == b.view.ecosystem && a.view.number == b.view.number &&
         a.view.when == b.view.when && a.view.who == b.view.who && a.view.outcome == b.view.outcome &&
         a.view.file == b.view.file && a.view.summary == b.view.summary && a.view.current == b.view.current;
}

std::string bytes_of(const std::string& path) { return read_file_at(AT_FDCWD, path, 1U << 30).value(); }

void overwrite(const std::string& path, std::string_view bytes) {
  const UniqueFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  REQUIRE(write_all(fd.get(), bytes));
}

mode_t mode_of(const std::string& path) {
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

std::string with_header(const std::string& kind, const std::string& body) {
  std::array<char, 100> header{};
  const auto sum = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  std::snprintf(header.data(), header.size(), "svd-state %s 1 %zu %08lx\n", kind.c_str(), body.size(), sum);
  return header.data() + body;
}

int in_child(const std::function<int()>& body) {
  const auto pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("what is saved is loaded, and only we may read it", "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  const auto nothing = store.load_all();
  CHECK((nothing.runtime.empty() && nothing.revisions.empty() && nothing.problems.empty()));
  const std::string runtime("slots\n\0\xff", 8);
  REQUIRE(store.save("older"));
  REQUIRE(store.save(runtime));
  for (const auto number : {2ULL, 10ULL, 1ULL}) REQUIRE(store.save_revision(revision(number)));
  REQUIRE(store.save_revision(revision(1, "blog")));
  CHECK_FALSE(store.degraded());
  auto again = StateStore::open(d.path()).value();
  const auto all = again.load_all();
  CHECK(all.problems.empty());
  CHECK(all.runtime == runtime);
  REQUIRE(all.revisions.size() == 4);
  CHECK(same(all.revisions[0], revision(1, "blog")));
  CHECK(same(all.revisions[3], revision(10)));
  CHECK(same(again.load_revision(Name::parse("shop").value(), 2).value(), revision(2)));
  CHECK(again.load_revision(Name::parse("shop").value(), 3).error().code ==
        std::errc::no_such_file_or_directory);
  CHECK((mode_of(d.path()) == 0700 && mode_of(d.file("runtime")) == 0600 &&
         mode_of(d.file("runtime.prev")) == 0600));
  CHECK((mode_of(d.file("revisions/shop")) == 0700 && mode_of(d.file("revisions/shop/2")) == 0600));
  for (const auto number : {1ULL, 2ULL, 10ULL}) again.remove_revision(Name::parse("shop").value(), number);
  CHECK(again.load_all().revisions.size() == 1);
  CHECK_FALSE(std::filesystem::exists(d.file("revisions/shop")));
}

TEST_CASE("a state file is text that a person can read", "[state]") {
  const auto text = format_revision(revision(7));
  CHECK(text.starts_with("svd-state revision 1 "));
  CHECK(text.find("\necosystem 4\nshop\nnumber 1\n7\n") != std::string::npos);
}

TEST_CASE("no truncation and no flipped bit goes unnoticed", "[state][property]") {
  const auto file = format_revision(revision(7));
  REQUIRE(same(parse_revision(file).value(), revision(7)));
  for (std::size_t size = 0; size < file.size(); ++size)
    CHECK_FALSE(parse_revision(std::string_view{file}.substr(0, size)));
  for (std::size_t at = 0; at < file.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = file;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      if (parse_revision(damaged)) FAIL("bit " << bit << " of byte " << at);
    }
  std::mt19937 random{Catch::rngSeed()};
  for (int round = 0; round < 2'000; ++round) {
    auto damaged = file;
    for (auto left = random() % 20 + 1; left > 0; --left)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (random() % 2 == 0) damaged.insert(random() % damaged.size(), std::string(random() % 100, 'x'));
    if (damaged != file) CHECK_FALSE(parse_revision(damaged));
  }
  CHECK_FALSE(parse_runtime(file));  // another kind
}

TEST_CASE("a revision has each of its fields once", "[state]") {
  const auto file = format_revision(revision(4));
  const auto body = file.substr(file.find('\n') + 1);
  const auto profile = body.find("profile "), text = body.find("text ");
  const auto cpus = body.find("cpus ");
  REQUIRE(std::max({profile, text, cpus}) < body.size());
  CHECK(parse_revision(with_header("revision", body)));
  const auto without_profile = body.substr(0, profile) + body.substr(cpus);
  CHECK_FALSE(parse_revision(with_header("revision", without_profile)));
  CHECK_FALSE(parse_revision(with_header("revision", without_profile + body.substr(text))));
}

TEST_CASE("fields that lie about their size are refused also with a right checksum", "[state]") {
  CHECK(parse_runtime(with_header("runtime", "runtime 2\nab\n")).value() == "ab");
  for (const std::string body : {"runtime 99999999999999999999\n\n", "runtime 18446744073709551615\nab\n",
                                 "runtime -1\n\n", "runtime 5\nab\n", "runtime 2\nabc\n", "runtime\n\n",
                                 " 0\n\n", "runtime 0\n", "", "runtime 0\n\nruntime 0\n\n", "other 0\n\n"})
    CHECK_FALSE(parse_runtime(with_header("runtime", body)));
}

TEST_CASE("the copy before is used when the newest is damaged, missing or of a newer version, and it is told",
          "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  REQUIRE((store.save("first") && store.save("second")));
  const auto good = bytes_of(d.file("runtime"));
  const auto [damage, why] = GENERATE_COPY(table<std::string, std::string>({
      {good.substr(0, good.size() - 1), "it is damaged"},
      {"", "it is empty"},
      {std::string(5000, '\0'), "it is no state file of this kind"},
      {"svd-state runtime 2 0 00000000\n", "it was written by a newer svd (format 2)"},
  }));
  overwrite(d.file("runtime"), damage);
  auto all = store.load_all();
  CHECK(all.runtime == "first");
  REQUIRE(all.problems.size() == 1);
  CHECK_THAT(all.problems[0], ContainsSubstring(why) && ContainsSubstring("the copy before it is used"));
  REQUIRE(::unlink(d.file("runtime").c_str()) == 0);
  all = store.load_all();
  CHECK((all.runtime == "first" && all.problems.size() == 1));
  overwrite(d.file("runtime.prev"), damage);
  all = store.load_all();
  CHECK((all.runtime.empty() && all.problems.size() == 1));
  CHECK_THAT(all.problems[0], ContainsSubstring("no usable copy"));
  REQUIRE(store.save("third"));  // and life goes on
  CHECK(store.load_all().runtime == "third");
}

TEST_CASE("one damaged revision costs that revision only", "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  const auto shop = Name::parse("shop").value();
  for (std::uint64_t i = 1; i <= 3; ++i) REQUIRE(store.save_revision(revision(i)));
  overwrite(d.file("revisions/shop/2"), "nonsense");
  const auto all = store.load_all();
  CHECK(all.revisions.size() == 2);
  REQUIRE(all.problems.size() == 1);
  CHECK_THAT(all.problems[0], ContainsSubstring("revision 2 of shop"));
  CHECK(store.load_revision(shop, 2).error().code == std::errc::illegal_byte_sequence);
  // A file of another revision under that name is none of it.
  overwrite(d.file("revisions/shop/2"), bytes_of(d.file("revisions/shop/3")));
  CHECK_FALSE(store.load_revision(shop, 2));
  auto changed = revision(2);
  changed.view.outcome = "succeeded";
  REQUIRE(store.save_revision(changed));
  CHECK(same(store.load_revision(shop, 2).value(), changed));
}

TEST_CASE("what does not belong into the directory harms nobody", "[state]") {
  const StateDirectory d;
  REQUIRE(StateStore::open(d.path())->save("state"));
  std::filesystem::create_directories(d.file("revisions/shop/7"));
  std::filesystem::create_directories(d.file("revisions/-bad name"));
  overwrite(d.file("revisions/shop/hello"), "x");
  overwrite(d.file("revisions/shop/.5.tmp"), "x");
  overwrite(d.file(".runtime.tmp"), "half a sta");
  REQUIRE(::mkfifo(d.file("revisions/shop/8").c_str(), 0600) == 0);  // reading it would never end
  REQUIRE(::symlink("/etc/passwd", d.file("revisions/shop/9").c_str()) == 0);
  auto store = StateStore::open(d.path()).value();
  CHECK_FALSE(std::filesystem::exists(d.file(".runtime.tmp")));
  const auto all = store.load_all();
  CHECK((all.runtime == "state" && all.revisions.empty()));
  CHECK(all.problems.size() == 4);
  CHECK_FALSE(std::filesystem::exists(d.file("revisions/shop/.5.tmp")));
}

TEST_CASE("a directory that others may write to is refused; one that is merely readable is closed",
          "[state]") {
  const StateDirectory d;
  REQUIRE(StateStore::open(d.path()));
  REQUIRE(::chmod(d.path().c_str(), 0755) == 0);
  REQUIRE(StateStore::open(d.path()));
  CHECK(mode_of(d.path()) == 0700);
  for (const mode_t mode : {0770U, 0702U, 01777U}) {
    REQUIRE(::chmod(d.path().c_str(), mode) == 0);
    CHECK_THAT(StateStore::open(d.path()).error().text, ContainsSubstring("others may write to it"));
  }
  if (::geteuid() != 0) return;
  REQUIRE((::chmod(d.path().c_str(), 0700) == 0 && ::chown(d.path().c_str(), 65534, 65534) == 0));
  CHECK_THAT(StateStore::open(d.path()).error().text, ContainsSubstring("it belongs to uid 65534"));
}

TEST_CASE("who must go on without a state directory tells it, and saves as soon as there is one", "[state]") {
  const StateDirectory d;
  REQUIRE(StateStore::open(d.path())->save("before"));
  REQUIRE(::chmod(d.path().c_str(), 0777) == 0);
  auto store = StateStore::without(d.path(), StateStore::open(d.path()).error());
  auto all = store.load_all();
  CHECK((all.runtime.empty() && all.revisions.empty()));  // a stranger may have written it
  REQUIRE(all.problems.size() == 1);
  CHECK_THAT(all.problems.front(), ContainsSubstring("others may write to it"));
  CHECK_FALSE(store.save("now"));
  CHECK_THAT(store.degraded().value_or(""), ContainsSubstring("others may write to it"));
  REQUIRE(::chmod(d.path().c_str(), 0700) == 0);
  CHECK(store.save("now"));
  CHECK_FALSE(store.degraded());
  CHECK(StateStore::open(d.path())->load_all().runtime == "now");
}

TEST_CASE("a directory in the place of a file is set aside with what is in it", "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  for (const auto* name : {"runtime/mine", "runtime.prev", ".runtime.tmp"})
    std::filesystem::create_directories(d.file(name));
  CHECK(store.save("first"));
  CHECK(store.save("second"));
  CHECK(store.load_all().runtime == "second");
  CHECK(std::filesystem::exists(d.file("runtime.aside/mine")));
}

TEST_CASE("a full disk stops nothing: what was saved stays, and it is told until a save succeeds",
          "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  REQUIRE((store.save("before") && store.save_revision(revision(1))));
  CHECK(in_child([&] {
          ::signal(SIGXFSZ, SIG_IGN);
          rlimit limit{};
          ::getrlimit(RLIMIT_FSIZE, &limit);
          limit.rlim_cur = 60;
          ::setrlimit(RLIMIT_FSIZE, &limit);
          if (store.save(std::string(100, 'x')) || store.save_revision(revision(1)) || !store.degraded())
            return 1;
          if (store.degraded()->find("is not saved: cannot write 'runtime'") == std::string::npos) return 2;
          if (store.load_all().runtime != "before" || store.load_all().revisions.size() != 1) return 3;
          limit.rlim_cur = limit.rlim_max;
          ::setrlimit(RLIMIT_FSIZE, &limit);
          if (!store.save("after") || !store.degraded()) return 4;  // the revision is still to come
          return store.save_revision(revision(1)) && !store.degraded() ? 0 : 5;
        }) == 0);
  CHECK(store.load_all().runtime == "after");
  for (const auto& entry : std::filesystem::recursive_directory_iterator{d.path()})
    CHECK(entry.path().extension() != ".tmp");
}

TEST_CASE("on a tiny, then on a read-only file system", "[state]") {
  const StateDirectory d;
  std::filesystem::create_directories(d.path());
  const auto status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", d.path().c_str(), "tmpfs", 0, "size=64k,mode=700") != 0)
      return 77;
    auto store = StateStore::open(d.path()).value();
    if (!store.save("small") || store.save(std::string(200'000, 'x'))) return 1;
    if (store.degraded()->find("No space left on device") == std::string::npos) return 2;
    if (store.load_all().runtime != "small" || !store.save("small again") || store.degraded()) return 3;
    if (::mount("none", d.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return 4;
    if (store.save("nothing") || store.degraded()->find("Read-only file system") == std::string::npos)
      return 5;
    auto second = StateStore::open(d.path());
    if (!second || second->load_all().runtime != "small again" || second->save_revision(revision(1)))
      return 6;
    // A directory that cannot even be made: memory has to do, until it can.
    auto third = StateStore::open(d.path() + "/below");
    if (!third || third->save("x") || !third->degraded() || !third->load_all().runtime.empty()) return 7;
    ::mount("none", d.path().c_str(), nullptr, MS_REMOUNT, nullptr);
    return third->save("x") && !third->degraded() && third->load_all().runtime == "x" ? 0 : 8;
  });
  if (status == 77)
    WARN("passed over: mounting is not allowed here");
  else
    CHECK(status == 0);
}

TEST_CASE("a daemon that is killed while it saves leaves one whole state", "[state]") {
  const StateDirectory d;
  std::mt19937 random{Catch::rngSeed()};
  const auto body = [](std::uint64_t i) {
    return std::to_string(i) + std::string(20'000 + i % 5'000, static_cast<char>('a' + i % 26));
  };
  REQUIRE(StateStore::open(d.path())->save(body(0)));
  std::uint64_t newest = 0;
  for (int round = 0; round < 40; ++round) {
    int told[2];
    REQUIRE(::pipe2(told, O_CLOEXEC) == 0);
    const auto pid = ::fork();
    if (pid == 0) {
      auto store = StateStore::open(d.path()).value();
      for (auto i = newest + 1;; ++i) {
        if (!store.save(body(i)) || ::write(told[1], "s", 1) != 1) ::_exit(1);
        if (i % 10 == 0 && !store.save_revision(revision(1))) ::_exit(1);
      }
    }
    ::close(told[1]);
    const UniqueFd saves{told[0]};
    char one = 0;
    std::uint64_t heard = 0;
    for (auto left = random() % 30 + 1; left > 0 && ::read(saves.get(), &one, 1) == 1; --left) ++heard;
    ::kill(pid, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFSIGNALED(status));
    auto store = StateStore::open(d.path()).value();
    const auto all = store.load_all();
    CHECK(all.problems.empty());
    const auto have = std::strtoull(all.runtime.c_str(), nullptr, 10);
    CHECK(all.runtime == body(have));
    CHECK(have >= newest + heard);  // what was reported as saved is not lost
    newest = have;
    for (const auto& stored : all.revisions) CHECK(same(stored, revision(1)));
  }
}

TEST_CASE("saving and loading leave no descriptor behind", "[state]") {
  const StateDirectory d;
  const auto count = [] { return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}); };
  const auto before = count();
  {
    auto store = StateStore::open(d.path()).value();
    for (std::uint64_t i = 1; i < 20; ++i) {
      REQUIRE((store.save("x") && store.save_revision(revision(i))));
      static_cast<void>(store.load_all());
    }
    CHECK(count() == before + 1);
  }
  CHECK(count() == before);
}

TEST_CASE("states beyond the bounds are refused, not cut", "[state]") {
  const StateDirectory d;
  auto store = StateStore::open(d.path()).value();
  auto big = revision(1);
  big.source.text.assign(max_revision_bytes, 'x');
  CHECK_FALSE(store.save_revision(big));
  CHECK_THAT(*store.degraded(), ContainsSubstring("revision 1 has"));
  CHECK(store.load_all().revisions.empty());
}
