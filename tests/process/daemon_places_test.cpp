// SPDX-License-Identifier: Apache-2.0
// The runtime directory, its lock and its socket, on the real file system.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "daemon/decoder.h"
#include "daemon/ecosystem_file.h"
#include "daemon/log.h"
#include "daemon/places.h"
#include "support/catch.h"

using namespace svd;

namespace {

struct Home {
  std::string root;
  Directories directories;
  Home() {
    char name[] = "/tmp/svd-places-XXXXXX";
    root = ::mkdtemp(name);
    directories = {root + "/run", root + "/state", root + "/log"};
  }
  ~Home() { std::filesystem::remove_all(root); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

bool can_connect(const std::string& path) {
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

TEST_CASE_METHOD(Home, "the runtime directory is made for us alone to write to", "[daemon]") {
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
  CHECK(mode_of(directories.runtime) == (::geteuid() == 0 ? 0755 : 0700));
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
}

TEST_CASE_METHOD(Home, "a runtime directory that others can write to is refused", "[daemon]") {
  REQUIRE(::mkdir(directories.runtime.c_str(), 0700) == 0);
  REQUIRE(::chmod(directories.runtime.c_str(), 01777) == 0);
  const auto made = make_runtime_directory(directories, ::geteuid());
  REQUIRE_FALSE(made);
  CHECK_THAT(made.error().text, ContainsSubstring("others may write to it"));
}

TEST_CASE_METHOD(Home, "a runtime directory of somebody else is refused", "[daemon]") {
  REQUIRE(::mkdir(directories.runtime.c_str(), 0755) == 0);
  CHECK_FALSE(make_runtime_directory(directories, ::geteuid() + 1));
}

namespace {

constexpr uid_t stranger = 54'321;

// Runs `body` as another user; false: there is none to become.
bool as_stranger(const std::function<bool()>& body) {
  if (::geteuid() != 0) return false;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(::setgid(stranger) == 0 && ::setuid(stranger) == 0 && body() ? 0 : 1);
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && status == 0;
}

}  // namespace

TEST_CASE_METHOD(Home, "where others were faster in /tmp nothing of theirs is used", "[daemon]") {
  const auto shared = root + "/tmp", victim = root + "/victim";
  std::filesystem::create_directories(shared);
  REQUIRE(::chmod(root.c_str(), 0755) == 0);
  REQUIRE(::chmod(shared.c_str(), 01777) == 0);
  REQUIRE(::mkdir(victim.c_str(), 0755) == 0);
  const Directories ours{shared + "/svd-0-1", shared + "/svd-0-1/state", shared + "/svd-0-1/log", true};
  REQUIRE(make_runtime_directory(ours, ::geteuid()));
  REQUIRE(make_runtime_directory(ours, ::geteuid()));
  std::filesystem::remove(ours.runtime);
  SECTION("a directory of theirs") {
    if (!as_stranger([&] { return ::mkdir(ours.runtime.c_str(), 0755) == 0; })) return;
  }
  SECTION("a link of theirs to a directory of ours") {
    if (!as_stranger([&] { return ::symlink(victim.c_str(), ours.runtime.c_str()) == 0; })) return;
  }
  SECTION("a link of ours, which the kernel lets us follow everywhere") {
    REQUIRE(::symlink(victim.c_str(), ours.runtime.c_str()) == 0);
  }
  SECTION("a link to nowhere") { REQUIRE(::symlink("/nowhere/at/all", ours.runtime.c_str()) == 0); }
  SECTION("a file") { std::ofstream{ours.runtime} << "x"; }
  SECTION("one of ours that others may write to") {
    REQUIRE((::mkdir(ours.runtime.c_str(), 0700) == 0 && ::chmod(ours.runtime.c_str(), 0770) == 0));
  }
  SECTION("one of ours where others can take its place") {
    REQUIRE((::mkdir(ours.runtime.c_str(), 0700) == 0 && ::chmod(shared.c_str(), 0777) == 0));
  }
  SECTION("one of ours below a directory of theirs") {
    if (::geteuid() != 0) return;
    REQUIRE((::mkdir(ours.runtime.c_str(), 0700) == 0 && ::chown(shared.c_str(), stranger, stranger) == 0));
  }
  CHECK_FALSE(make_runtime_directory(ours, ::geteuid()));
  CHECK_FALSE(find_place(std::vector{ours}, {::geteuid(), ::getpid(), false}));
  CHECK(std::filesystem::is_empty(victim));
}

TEST_CASE_METHOD(Home, "of what is passed as the bus only a socket that listens there for us or root is used",
                 "[daemon]") {
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
  REQUIRE(::chmod(root.c_str(), 0755) == 0);
  const auto good = listen_on_bus(directories, std::nullopt);
  REQUIRE(good);
  CHECK(is_bus_socket(good->get(), directories));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  directories.socket().copy(address.sun_path, sizeof address.sun_path - 1);
  const auto bound = [&](int type) {
    ::unlink(address.sun_path);
    UniqueFd socket{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
               ? std::move(socket)
               : UniqueFd{};
  };
  const auto silent = bound(SOCK_STREAM);
  REQUIRE(silent);
  CHECK_FALSE(is_bus_socket(silent.get(), directories));
  const auto datagrams = bound(SOCK_DGRAM);
  REQUIRE(datagrams);
  CHECK_FALSE(is_bus_socket(datagrams.get(), directories));
  const auto packets = bound(SOCK_SEQPACKET);
  REQUIRE((packets && ::listen(packets.get(), 1) == 0));
  CHECK_FALSE(is_bus_socket(packets.get(), directories));
  const auto pipe = UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  CHECK_FALSE(is_bus_socket(pipe.get(), directories));
  // The name is right, and who listens is not: as from a mount namespace of a stranger's own.
  const auto theirs = bound(SOCK_STREAM);
  REQUIRE(theirs);
  if (!as_stranger([&] { return ::listen(theirs.get(), 1) == 0; })) return;
  CHECK_FALSE(is_bus_socket(theirs.get(), directories));
}

TEST_CASE_METHOD(Home, "who holds the lock is told to the next one", "[daemon]") {
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
  auto first = try_lock(directories);
  REQUIRE(first);
  CHECK_FALSE(first->taken);
  REQUIRE(write_lock_owner(first->fd.get(), {123456, {7}, 1}));
  REQUIRE(write_lock_owner(first->fd.get(), {4711, {7}, 1}));  // shorter: nothing of the old text may stay
  auto second = try_lock(directories);
  REQUIRE(second);
  CHECK(second->taken);
  CHECK(second->owner == LockOwner{4711, {7}, 1});
  first->fd.reset();
  CHECK_FALSE(try_lock(directories)->taken);
}

TEST_CASE_METHOD(Home, "a state directory has one daemon, whatever its runtime directory", "[daemon]") {
  auto other = directories;
  other.runtime += "-other";
  const auto first = try_state_lock(directories);
  REQUIRE(first.fd);
  CHECK_FALSE(first.taken);
  REQUIRE(write_lock_owner(first.fd.get(), {4711, {7}, 1}));
  const auto second = try_state_lock(other);
  CHECK(second.taken);
  CHECK(second.owner.keeper_pid == 4711);
  // Where there can be no lock there is none, and nothing is wrong.
  other.state = "/proc/nowhere";
  CHECK_FALSE(try_state_lock(other).taken);
}

TEST_CASE_METHOD(Home, "a daemon that may live in several places takes the first that it can write to",
                 "[daemon]") {
  const auto second = Directories{root + "/second", root + "/state", root + "/log"};
  const auto third = Directories{root + "/third", root + "/state", root + "/log"};
  const std::vector<Directories> candidates{directories, second, third};
  const PlaceSeeker seeker{::geteuid(), 4711, false};
  SECTION("the first of all") {
    CHECK(find_place(candidates, seeker)->directories.runtime == directories.runtime);
  }
  SECTION("or the next, when that is no directory") {
    std::ofstream{directories.runtime} << "a file\n";
    CHECK(find_place(candidates, seeker)->directories.runtime == second.runtime);
  }
  SECTION("and none that a stranger has prepared") {
    std::ofstream{directories.runtime} << "a file\n";
    REQUIRE(::mkdir(second.runtime.c_str(), 0777) == 0);
    REQUIRE(::chmod(second.runtime.c_str(), 0777) == 0);
    CHECK(find_place(candidates, seeker)->directories.runtime == third.runtime);
  }
  SECTION("with none, what is wrong with the first is told") {
    for (const auto& one : candidates) std::ofstream{one.runtime} << "a file\n";
    const auto place = find_place(candidates, seeker);
    REQUIRE_FALSE(place);
    CHECK_THAT(place.error().text, ContainsSubstring(directories.runtime));
  }
  SECTION("where another daemon lives in the first, that is told") {
    REQUIRE(make_runtime_directory(directories, ::geteuid()));
    const auto other = try_lock(directories);
    REQUIRE(write_lock_owner(other->fd.get(), {123, {7}, 1}));
    const auto place = find_place(candidates, seeker);
    REQUIRE_FALSE(place);
    CHECK(place.error().code == std::errc::device_or_resource_busy);
    CHECK(place.error().text == "already running (pid 123)");
  }
}

TEST_CASE_METHOD(Home,
                 "the next engine finds the place of the one before it, also when a better one has come up",
                 "[daemon]") {
  const auto second = Directories{root + "/second", root + "/state", root + "/log"};
  const std::vector<Directories> candidates{directories, second};
  std::ofstream{directories.runtime} << "a file\n";
  const auto former = find_place(candidates, {::geteuid(), 4711, false});
  REQUIRE(former);
  REQUIRE(write_lock_owner(former->lock.fd.get(), {4711, {7}, 1}));
  REQUIRE(::unlink(directories.runtime.c_str()) == 0);
  const auto next = find_place(candidates, {::geteuid(), 4711, true});
  REQUIRE(next);
  CHECK(next->directories.runtime == second.runtime);
  CHECK(next->lock.taken);
  // The keeper was replaced, and nobody had come to write it down.
  constexpr std::int64_t nobody = 99'999'999;
  REQUIRE(write_lock_owner(former->lock.fd.get(), {nobody, {7}, 1}));
  CHECK(find_place(candidates, {::geteuid(), 4711, true})->directories.runtime == second.runtime);
  // Another daemon's.
  REQUIRE(write_lock_owner(former->lock.fd.get(), {::getpid(), {7}, 1}));
  CHECK_FALSE(find_place(candidates, {::geteuid(), 4711, true}));
}

TEST_CASE_METHOD(Home, "the socket takes the place of a stale one, and is nobody else's", "[daemon]") {
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
  auto stale = listen_on_bus(directories, std::nullopt);
  REQUIRE(stale);
  stale->reset();
  CHECK_FALSE(can_connect(directories.socket()));
  const auto fresh = listen_on_bus(directories, std::nullopt);
  REQUIRE(fresh);
  CHECK(can_connect(directories.socket()));
  CHECK(mode_of(directories.socket()) == 0600);
}

TEST_CASE_METHOD(Home, "with a group the socket is for its members, too", "[daemon]") {
  REQUIRE(make_runtime_directory(directories, ::geteuid()));
  REQUIRE(listen_on_bus(directories, ::getegid()));
  CHECK(mode_of(directories.socket()) == 0660);
}

TEST_CASE_METHOD(Home, "env files that the client did not send are read; what is no file is a complaint",
                 "[daemon]") {
  std::ofstream{root + "/real.env"} << "TOKEN=secret\n";
  REQUIRE(::symlink("real.env", (root + "/.env").c_str()) == 0);
  REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
  const auto decode = make_decoder();
  const auto with = [&](const std::string& file) {
    Source source;
    source.text = "apps: { web: { exec: [sleep, '1'], env_file: [" + file + "] } }";
    source.file = root + "/eco.yaml";
    source.directory = root;
    auto decoded = decode(source);
    return decoded ? decoded->apps.begin()->second.secret_env["TOKEN"] : decoded.error().text;
  };
  CHECK(with(".env") == "secret");
  CHECK_THAT(with("fifo"), ContainsSubstring("no regular file"));
  CHECK_THAT(with("missing.env"), ContainsSubstring("No such file"));
}

TEST_CASE_METHOD(Home, "the file of svd FILE is read as svctl would send it, through links", "[daemon]") {
  REQUIRE(::mkdir((root + "/v1").c_str(), 0700) == 0);
  std::ofstream{root + "/v1/eco.yaml"} << "apps: {}\n";
  REQUIRE(::symlink("v1", (root + "/current").c_str()) == 0);
  Options options;
  options.profile = "production";
  options.file = root + "/current/eco.yaml";
  const auto source = read_ecosystem_file(options);
  REQUIRE(source);
  CHECK(source->text == "apps: {}\n");
  CHECK(source->file == root + "/current/eco.yaml");
  CHECK(source->directory == root + "/current");
  CHECK(source->profile == "production");
  CHECK(source->cpus >= 1);
  options.file = root + "/none.yaml";
  CHECK(read_ecosystem_file(options).error().text ==
        "cannot read '" + root + "/none.yaml': No such file or directory");
  CHECK(absolute_path("/a/../b/./eco.yaml") == "/b/eco.yaml");
  CHECK(absolute_path("eco.yaml") == std::filesystem::current_path().string() + "/eco.yaml");
}

TEST_CASE_METHOD(Home, "the daemon's log never waits for a reader that does not read", "[daemon]") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader{ends[0]}, writer{ends[1]};
  const UniqueFd saved{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)};
  REQUIRE(::dup2(writer.get(), STDERR_FILENO) == STDERR_FILENO);
  Log log;
  for (int i = 0; i < 5000; ++i) log.write(Severity::info, std::string(100, 'x'));  // a pipe takes 64 KiB
  REQUIRE(::dup2(saved.get(), STDERR_FILENO) == STDERR_FILENO);
  char first[6] = {};
  REQUIRE(::read(reader.get(), first, 5) == 5);
  CHECK(std::string{first} == "svd: ");
}
