// SPDX-License-Identifier: Apache-2.0
// The real things behind Context: helpers, Ctrl-C, files, and where a daemon is looked for.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "cli/peer.h"
#include "cli/system.h"
#include "cli/temporary_home.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::cli;

// sdbus-c++ 1.2 does not free the sd_bus of a connection that cannot be opened (a kilobyte a try; svctl tries
// for 15 s at most). For LeakSanitizer, which calls this; see <sanitizer/lsan_interface.h>.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libsystemd.so"; }

namespace {

bool is_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) == 1;
}

void wait_until_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  constexpr int patience_ms = 10'000;
  REQUIRE(::poll(&polled, 1, patience_ms) == 1);
}

}  // namespace

TEST_CASE("helpers end one by one, although the later ones inherit what the earlier ones wait for",
          "[cli][process]") {
  const auto context = real_context();
  std::array<int, 2> said{};
  REQUIRE(::pipe(said.data()) == 0);
  const auto speak_when_stopped = [&](char word) {
    return [&said, word](int stop) {
      pollfd polled{stop, POLLIN, 0};
      ::poll(&polled, 1, -1);
      [[maybe_unused]] const auto written = ::write(said[1], &word, 1);
    };
  };
  auto first = context.system.in_background(speak_when_stopped('1')).value();
  auto second = context.system.in_background(speak_when_stopped('2')).value();
  first.reset();
  char word = 0;
  REQUIRE(::read(said[0], &word, 1) == 1);
  CHECK(word == '1');
  second.reset();
  REQUIRE(::read(said[0], &word, 1) == 1);
  CHECK(word == '2');
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // nothing is left to reap
  ::close(said[0]);
  ::close(said[1]);
}

TEST_CASE("a temporary home goes with its owner, and nothing is left to reap", "[cli][process]") {
  std::string path;
  {
    const auto home = TemporaryHome::make("/tmp");
    REQUIRE(home.has_value());
    path = home->path();
    std::ofstream{path + "/file"} << "x";
    home->belongs_to(::getpid());
  }
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a temporary home whose owner was killed goes when the daemon in it has gone", "[cli][process]") {
  const bool has_daemon = GENERATE(true, false);
  const auto daemon = ::fork();
  if (daemon == 0) {
    ::pause();
    ::_exit(0);
  }
  std::array<int, 2> said{};
  REQUIRE(::pipe(said.data()) == 0);
  const auto owner = ::fork();
  if (owner == 0) {
    const auto home = TemporaryHome::make("/tmp");
    if (has_daemon) home->belongs_to(daemon);
    [[maybe_unused]] const auto written = ::write(said[1], home->path().data(), home->path().size());
    ::pause();
    ::_exit(0);
  }
  std::string path(256, '\0');
  const auto size = ::read(said[0], path.data(), path.size());
  REQUIRE(size > 0);
  path.resize(static_cast<std::size_t>(size));
  // Names in the parent that vanish are told.
  const UniqueFd news{::inotify_init1(IN_CLOEXEC)};
  REQUIRE(::inotify_add_watch(news.get(), path.c_str(), IN_DELETE_SELF | IN_ONLYDIR) > 0);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  if (has_daemon) CHECK(std::filesystem::exists(path));
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  wait_until_readable(news.get());
  CHECK_FALSE(std::filesystem::exists(path));
  for (const int fd : said) ::close(fd);
}

TEST_CASE("Ctrl-C is a readable descriptor, and forgotten when it is asked for anew", "[cli][process]") {
  const auto context = real_context();
  const int fd = context.system.interrupts();
  CHECK_FALSE(is_readable(fd));
  ::raise(SIGINT);
  wait_until_readable(fd);
  CHECK(context.system.interrupts() == fd);
  CHECK_FALSE(is_readable(fd));
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
}

TEST_CASE("a file is read up to its limit and not beyond", "[cli][process]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const auto path = directory + "/file";
  std::ofstream{path} << std::string(100'000, 'x');
  CHECK(context.system.read_file(path, 100'000).value().size() == 100'000);
  CHECK(context.system.read_file(path, 99'999).error().code == std::errc::file_too_large);
  CHECK(context.system.read_file(directory, 10).error().code == std::errc::is_a_directory);
  CHECK(context.system.read_file(path + "x", 10).error().code == std::errc::no_such_file_or_directory);
  std::filesystem::remove_all(directory);
}

TEST_CASE("the end of a process is waited for, of one that has gone already too", "[cli][process]") {
  const auto context = real_context();
  const auto pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  CHECK(context.system.wait_for_exit(static_cast<std::uint64_t>(pid), until));
  ::waitpid(pid, nullptr, 0);
  CHECK(context.system.wait_for_exit(static_cast<std::uint64_t>(pid), until));
  CHECK_FALSE(
      context.system.wait_for_exit(static_cast<std::uint64_t>(::getpid()), std::chrono::steady_clock::now()));
}

TEST_CASE("where nobody listens there is no daemon, and that is told from a place one may not enter",
          "[cli][process]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const auto address = "unix:path=" + directory + "/bus";
  CHECK(context.system.connect({address, std::nullopt}).error().code == std::errc::connection_refused);
  std::ofstream{directory + "/bus"};  // a file, not a socket
  CHECK(context.system.connect({address, std::nullopt}).error().code == std::errc::connection_refused);
  CHECK_FALSE(context.system.connect({"nonsense", std::nullopt}));
  std::filesystem::remove_all(directory);
}

TEST_CASE("each file's last lines are shown, however much another one has", "[cli][process][logs]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  std::ofstream{directory + "/quiet"} << "q1\nq2\n";
  std::ofstream{directory + "/chatty"} << "c1\nc2\nc3\nc4\n";
  LogQuery query;
  query.lines = 2;
  query.each = true;
  std::string shown;
  REQUIRE(context.system.read_logs({{"a:q/0", directory + "/quiet"}, {"a:c/0", directory + "/chatty"}}, query,
                                   [&](const LogLine& line) {
                                     shown += std::string{line.text} + " ";
                                     return true;
                                   }));
  for (const auto* expected : {"q1 ", "q2 ", "c3 ", "c4 "}) CHECK(shown.find(expected) != std::string::npos);
  CHECK(shown.size() == 12);
  std::filesystem::remove_all(directory);
}

TEST_CASE("a reader that is to finish gives all that was written before it was stopped",
          "[cli][process][logs]") {
  const auto context = real_context();
  std::string directory = "/tmp/svd-cli-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  LogQuery query;
  query.follow = query.finish = true;
  query.stop = stop;
  std::ofstream file{directory + "/log"};
  file << "first\n" << std::flush;
  int lines = 0;
  // At the first line, and so in the midst of following, much more is written and the end is asked for.
  REQUIRE(context.system.read_logs({{"a:w/0", directory + "/log"}}, query, [&](const LogLine&) {
    if (lines++ == 0) {
      for (int i = 1; i < 5000; ++i) file << "line " << i << '\n';
      file << std::flush;
      const std::uint64_t one = 1;
      REQUIRE(::write(stop, &one, sizeof one) == sizeof one);
    }
    return true;
  }));
  CHECK(lines == 5000);
  ::close(stop);
  std::filesystem::remove_all(directory);
}

namespace {

constexpr uid_t stranger = 65534;

struct Place {
  std::string path;
  Place() {
    std::string name = "/tmp/svd-peer-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { std::filesystem::remove_all(path); }
};

// A stranger who listens where a daemon is looked for, and gives away what it is told, byte by byte.
class Impostor {
 public:
  explicit Impostor(const std::string& socket) {
    std::array<int, 2> ends{}, said{};
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::pipe(said.data()) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(said[0]);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
      if (::setgid(stranger) != 0 || ::setuid(stranger) != 0) ::_exit(9);
      const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
      if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 8) != 0)
        ::_exit(8);
      ::chmod(socket.c_str(), 0666);
      [[maybe_unused]] auto written = ::write(ends[1], "1", 1);
      const int client = ::accept(fd, nullptr, nullptr);
      std::array<char, 4096> buffer{};
      for (ssize_t n = 0; (n = ::read(client, buffer.data(), buffer.size())) > 0;)
        written = ::write(said[1], buffer.data(), static_cast<std::size_t>(n));
      ::_exit(0);
    }
    ::close(said[1]);
    ::close(ends[1]);
    char ready = 0;
    REQUIRE(::read(ends[0], &ready, 1) == 1);
    ::close(ends[0]);
    said_.reset(said[0]);
  }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;
  ~Impostor() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  // Everything, when the connection has ended.
  [[nodiscard]] std::string heard() const {
    std::string all;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(said_.get(), buffer.data(), buffer.size())) > 0;)
      all.append(buffer.data(), static_cast<std::size_t>(n));
    return all;
  }

 private:
  pid_t pid_ = 0;
  UniqueFd said_;
};

bool may_change_users() {
  if (::geteuid() == 0) return true;
  WARN("skipped: changing users needs root");
  return false;
}

}  // namespace

TEST_CASE("a stranger's daemon is told nothing, however it came to be where ours is looked for",
          "[cli][process]") {
  if (!may_change_users()) return;
  const Place place;
  std::filesystem::create_directories(place.path + "/run");
  REQUIRE(::chown((place.path + "/run").c_str(), stranger, stranger) == 0);
  REQUIRE(::chmod(place.path.c_str(), 0755) == 0);
  const auto socket = place.path + "/run/bus";
  const Impostor impostor{socket};
  auto context = real_context();
  const bool by_address = GENERATE(false, true);
  context.system.environment = [&](const std::string& name) -> std::optional<std::string> {
    if (by_address && name == "SVD_ADDRESS") return socket;
    if (!by_address && name == "SVD_HOME") return place.path;
    return std::nullopt;
  };
  {
    const auto client = context.connect_or_start();
    REQUIRE_FALSE(client);
    CHECK(client.error().code == std::errc::operation_not_permitted);
    CHECK_THAT(client.error().text, ContainsSubstring("uid 65534") && ContainsSubstring("--address '"));
  }
  const auto heard = impostor.heard();
  CHECK(heard.empty());
}

TEST_CASE("root's and one's own daemon is believed, and whoever is named by --address", "[cli][process]") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd one{ends[0]}, other{ends[1]};
  CHECK(check_peer(one.get(), "unix:path=/x", ::geteuid()));
  if (::geteuid() == 0) CHECK(check_peer(one.get(), "unix:path=/x", 1000));
  if (::geteuid() != 0) CHECK_FALSE(check_peer(one.get(), "unix:path=/x", ::geteuid() + 1));
  const UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  const auto unknown = check_peer(file.get(), "tcp:host=x", ::geteuid());
  REQUIRE_FALSE(unknown);
  CHECK_THAT(unknown.error().text, ContainsSubstring("it cannot be told whose it is"));
}

TEST_CASE("no daemon is started where others could exchange what it runs", "[cli][process]") {
  if (!may_change_users()) return;
  const Place place;
  const auto refused = [](const std::string& path) {
    const auto good = check_place(path, 0);
    return good ? std::string{} : good.error().text;
  };
  namespace fs = std::filesystem;
  for (const char* name : {"/ours", "/ours/state", "/theirs", "/shared"})
    fs::create_directory(place.path + name);
  REQUIRE(::chown((place.path + "/theirs").c_str(), stranger, stranger) == 0);
  REQUIRE(::chmod((place.path + "/shared").c_str(), 0777) == 0);
  fs::create_symlink(place.path + "/ours", place.path + "/theirs/link");
  REQUIRE(::lchown((place.path + "/theirs/link").c_str(), stranger, stranger) == 0);
  fs::create_symlink(place.path + "/theirs", place.path + "/ours/link");
  CHECK(refused(place.path + "/ours/state") == "");
  CHECK(refused(place.path + "/ours/not/yet/there") == "");
  CHECK_THAT(refused(place.path + "/theirs/state"), ContainsSubstring("belongs to 'nobody' (uid 65534)"));
  CHECK_THAT(refused(place.path + "/theirs/link/state"), ContainsSubstring("belongs to"));
  CHECK_THAT(refused(place.path + "/ours/link/state"), ContainsSubstring("belongs to"));
  CHECK_THAT(refused(place.path + "/shared/state"), ContainsSubstring("may write to"));
  auto context = real_context();
  const auto home = place.path + "/theirs";
  const auto started = context.system.start_daemon({home + "/run", home + "/state", home + "/log"});
  REQUIRE_FALSE(started);
  CHECK_THAT(started.error().text, ContainsSubstring("cannot start a daemon in '" + home));
  CHECK_FALSE(fs::exists(home + "/run"));
}
