// SPDX-License-Identifier: Apache-2.0
// What a user of the machine plants in a directory of his where the daemon, as root, reads, binds, mounts or
// writes for an app. Each case is his attack, made by him.
#include <sys/stat.h>

#include "daemon/decoder.h"
#include "daemon/places.h"
#include "files/io.h"
#include "kernel/hardening.h"
#include "kernel/state_store.h"
#include "listeners_support.h"
#include "support/other_user.h"

using namespace svd;
using namespace svd::test;

namespace {

namespace fs = std::filesystem;
constexpr int rounds = 2000;  // of a race
constexpr auto secret_text = "TOKEN=of-root\n";

// root's directory that nobody else may enter, one that everybody may, and one of the user.
class Machine {
 public:
  Machine() {
    REQUIRE(::chmod(home_.path().c_str(), 0755) == 0);
    for (const auto* name : {"private", "public", "his"}) fs::create_directory(at(name));
    REQUIRE(::chmod(at("private").c_str(), 0700) == 0);
    give(at("his"));
    put(at("private/env"), 0644);
    put(at("public/secret"), 0600);
    put(at("public/open"), 0644);
  }
  [[nodiscard]] std::string at(const std::string& name) const { return home_ / name; }
  void put(const std::string& path, mode_t mode, const std::string& text = secret_text) const {
    std::ofstream{path} << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
  }
  void give(const std::string& path) const { REQUIRE(::lchown(path.c_str(), user.uid, user.gid) == 0); }
  // He makes a link in his directory.
  void link(const std::string& name, const std::string& target) const {
    REQUIRE(user.does([&] { return ::symlink(target.c_str(), at("his/" + name).c_str()) == 0; }));
  }

  OtherUser user;

 private:
  TempDir home_;
};

// What an app gets from an env file; empty: refused, with words.
std::string token_from(const std::string& path, std::string* words = nullptr) {
  Source source;
  source.file = "/etc/shop.yaml";
  source.directory = "/etc";
  source.text = "name: shop\napps:\n  web:\n    exec: /bin/true\n    env_file: [" + path + "]\n";
  const auto decoded = make_decoder()(source);
  if (!decoded) {
    UNSCOPED_INFO(decoded.error().text);
    if (words != nullptr) *words = decoded.error().text;
    return "";
  }
  const auto& env = decoded->apps.at(Name::parse("web").value()).secret_env;
  const auto found = env.find("TOKEN");
  return found == env.end() ? "" : found->second;
}

// What an app gets as a credential.
std::string credential_from(const std::string& path) {
  LaunchPlan plan;
  plan.credentials["token"] = path;
  const auto read = read_credentials(plan);
  return read ? read->front().content : "";
}

void both_refuse(const std::string& path) {
  CHECK(token_from(path).empty());
  CHECK(credential_from(path).empty());
}
void both_take(const std::string& path) {
  CHECK(token_from(path) == "of-root");
  CHECK(credential_from(path) == secret_text);
}

}  // namespace

TEST_CASE("env_file and credentials: a user's link does not lead to what he may not read", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  SECTION("a file") {
    machine.link("env", machine.at("public/secret"));
    both_refuse(machine.at("his/env"));
  }
  SECTION("a directory that he may not enter") {
    machine.link("config", machine.at("private"));
    both_refuse(machine.at("his/config/env"));
  }
  SECTION("a link of root's behind his") {
    fs::create_symlink(machine.at("private/env"), machine.at("public/env"));
    machine.link("env", "../public/env");
    both_refuse(machine.at("his/env"));
  }
  SECTION("by way of /proc") {
    machine.link("env", "/proc/self/root" + machine.at("public/secret"));
    both_refuse(machine.at("his/env"));
  }
  SECTION("what he could read himself is read") {
    machine.link("env", machine.at("public/open"));
    both_take(machine.at("his/env"));
  }
}

TEST_CASE("env_file and credentials: a hard link or a moved file is judged by its owner and mode",
          "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  SECTION("a second name of root's file, as where fs.protected_hardlinks is off") {
    fs::create_hard_link(machine.at("public/secret"), machine.at("his/env"));
    both_refuse(machine.at("his/env"));
  }
  SECTION("a file of root's in his directory, moved by him") {
    machine.put(machine.at("his/notes"), 0600);
    REQUIRE(machine.user.does(
        [&] { return ::rename(machine.at("his/notes").c_str(), machine.at("his/env").c_str()) == 0; }));
    both_refuse(machine.at("his/env"));
  }
  SECTION("a directory of root's in his directory, moved by him") {
    fs::rename(machine.at("private"), machine.at("his/notes"));
    REQUIRE(machine.user.does(
        [&] { return ::rename(machine.at("his/notes").c_str(), machine.at("his/config").c_str()) == 0; }));
    both_refuse(machine.at("his/config/env"));
  }
  SECTION("a second name in a directory such as /tmp") {
    REQUIRE(::chmod(machine.at("public").c_str(), 01777) == 0);
    fs::create_hard_link(machine.at("private/env"), machine.at("public/env"));
    REQUIRE(::chmod(machine.at("private/env").c_str(), 0600) == 0);
    both_refuse(machine.at("public/env"));
  }
  SECTION("his own file is read, and root's that he is let to read by its group") {
    machine.put(machine.at("his/env"), 0600);
    machine.give(machine.at("his/env"));
    both_take(machine.at("his/env"));
    machine.put(machine.at("his/shared"), 0640);
    REQUIRE(::chown(machine.at("his/shared").c_str(), 0, machine.user.gid) == 0);
    both_take(machine.at("his/shared"));
  }
}

TEST_CASE("env_file: it is said why it was refused", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  machine.link("env", machine.at("public/secret"));
  std::string words;
  CHECK(token_from(machine.at("his/env"), &words).empty());
  CHECK_THAT(words, ContainsSubstring("uid " + std::to_string(machine.user.uid) +
                                      " can change where this path leads and may not read 'secret'"));
}

TEST_CASE("env_file and credentials: a fifo or a device of a user holds nobody up", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  REQUIRE(machine.user.does([&] { return ::mkfifo(machine.at("his/env").c_str(), 0600) == 0; }));
  both_refuse(machine.at("his/env"));
  machine.link("zero", "/dev/zero");
  both_refuse(machine.at("his/zero"));
  machine.link("terminal", "/dev/tty");
  both_refuse(machine.at("his/terminal"));
}

TEST_CASE("env_file: exchanging a directory for a link in a loop wins nothing", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  REQUIRE(machine.user.does([&] {
    const auto config = machine.at("his/config");
    return ::mkdir(config.c_str(), 0755) == 0 && ::symlink("config", machine.at("his/env").c_str()) == 0 &&
           ::close(::open((config + "/env").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0;
  }));
  machine.link("other", machine.at("private"));
  const Meanwhile he{machine.user, [a = machine.at("his/config"), b = machine.at("his/other")] {
                       ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
                     }};
  int won = 0;
  for (int i = 0; i < rounds; ++i) won += credential_from(machine.at("his/config/env")).empty() ? 0 : 1;
  CHECK(won == 0);
}

namespace {

// A unix listener of an app that runs as the user.
class Socket {
 public:
  explicit Socket(const Machine& machine) : machine_{machine} {
    listeners_.take_over(holder_, StartId{});
    spec_.user = machine.user.name();
  }
  std::string bind(const std::string& path, std::uint32_t mode = 0666) {
    Listener listener;
    listener.name = Name::parse("local").value();
    listener.kind = Listener::Kind::unix_stream;
    listener.address = path;
    listener.mode = mode;
    spec_.listen = {listener};
    const auto bound = listeners_.bind(spec_, id_, 1);
    return bound ? "" : bound.error().text;
  }
  void unbind() { listeners_.retain(id_, {}, true); }
  AppSpec& spec() { return spec_; }

 private:
  const Machine& machine_;
  AppId id_{Name::parse("shop").value(), Name::parse("web").value()};
  FakeHolder holder_;
  AppSpec spec_;
  Listeners listeners_;
};

struct stat look(const std::string& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found;
}

// A socket's file that nobody listens on.
void leave_socket(const std::string& path, mode_t mode = 0600) {
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("unix listener: in a user's directory the socket is made by his rights", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  Socket socket{machine};
  SECTION("his own place") {
    CHECK(socket.bind(machine.at("his/socket"), 0640) == "");
    const auto made = look(machine.at("his/socket"));
    CHECK(made.st_uid == machine.user.uid);
    CHECK(made.st_gid == machine.user.gid);
    CHECK((made.st_mode & 07777U) == 0640);
    CHECK(socket.bind(machine.at("his/socket"), 0600) == "");
    CHECK((look(machine.at("his/socket")).st_mode & 07777U) == 0600);
  }
  SECTION("no socket appears where he may not make one") {
    machine.link("run", machine.at("public"));
    CHECK(socket.bind(machine.at("his/run/socket")) != "");
    CHECK_FALSE(fs::exists(machine.at("public/socket")));
  }
  SECTION("nor for an app of root's") {
    socket.spec().user.clear();
    machine.link("run", machine.at("private"));
    CHECK(socket.bind(machine.at("his/run/socket")) != "");
    CHECK_FALSE(fs::exists(machine.at("private/socket")));
    REQUIRE(machine.user.does([&] { return ::unlink(machine.at("his/run").c_str()) == 0; }));
    machine.link("run", machine.at("public"));
    CHECK(socket.bind(machine.at("his/run/socket")) != "");
    CHECK_FALSE(fs::exists(machine.at("public/socket")));
  }
  SECTION("an app of root's has one in his place, and leaves nothing there") {
    socket.spec().user.clear();
    CHECK(socket.bind(machine.at("his/socket"), 0640) == "");
    CHECK(look(machine.at("his/socket")).st_uid == 0);
    CHECK((look(machine.at("his/socket")).st_mode & 07777U) == 0640);
    socket.unbind();
    CHECK_FALSE(fs::exists(machine.at("his/socket")));
  }
  SECTION("what somebody left elsewhere stays") {
    leave_socket(machine.at("public/socket"));
    machine.link("run", machine.at("public"));
    CHECK(socket.bind(machine.at("his/run/socket")) != "");
    CHECK(look(machine.at("public/socket")).st_uid == 0);
  }
  SECTION("what he left himself is replaced") {
    leave_socket(machine.at("his/socket"));
    machine.give(machine.at("his/socket"));
    CHECK(socket.bind(machine.at("his/socket")) == "");
  }
}

TEST_CASE("unix listener: a socket that a user puts in the place of the new one keeps its owner and mode",
          "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  Socket socket{machine};
  const auto ours = machine.at("his/socket"), victim = machine.at("his/root.sock");
  leave_socket(victim);
  const Meanwhile he{machine.user, [ours, victim] {
                       ::renameat2(AT_FDCWD, ours.c_str(), AT_FDCWD, victim.c_str(), RENAME_EXCHANGE);
                     }};
  for (int i = 0; i < rounds / 4; ++i) {
    (void)socket.bind(ours, i % 2 == 0 ? 0666 : 0606);
    socket.unbind();
    for (const auto& path : {ours, victim})
      if (struct stat found{}; ::lstat(path.c_str(), &found) == 0 && found.st_uid == 0)
        REQUIRE((found.st_mode & 07777U) == 0600);
  }
}

TEST_CASE("directories: none is made by way of a user's link", "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  machine.link("logs", machine.at("private"));
  CHECK_FALSE(make_directories(machine.at("his/logs/shop"), 0750));
  CHECK_FALSE(fs::exists(machine.at("private/shop")));
  CHECK(make_directories(machine.at("his/own/shop"), 0750));
}

TEST_CASE("SVD_HOME: where somebody else can put another directory in its place, no daemon of root's lives",
          "[paths]") {
  if (only_for_root()) return;
  const Machine machine;
  const auto home = machine.at("his/home");
  SECTION("below his directory") {
    fs::create_directory(home);
    REQUIRE(::chmod(home.c_str(), 0700) == 0);
  }
  SECTION("behind his link") {
    fs::create_directory(machine.at("private/home"));
    REQUIRE(::chmod(machine.at("private/home").c_str(), 0700) == 0);
    machine.link("home", machine.at("private/home"));
  }
  CHECK_FALSE(StateStore::open(home));
  Directories directories;
  directories.runtime = home;
  CHECK_FALSE(make_runtime_directory(directories, 0));
  CHECK(StateStore::open(machine.at("private/state")));
}
