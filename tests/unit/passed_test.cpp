// SPDX-License-Identifier: Apache-2.0
// What comes back from a service manager is known by its seal alone.
#include "kernel/passed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "support/catch.h"

using namespace svd;

namespace {

struct Home {
  std::string path;
  Home() {
    char name[] = "/tmp/svd-passed-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Home() { std::filesystem::remove_all(path); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  [[nodiscard]] std::string key() const { return path + "/store-key"; }
};

UniqueFd socket_of_ours() { return UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}; }
UniqueFd memory() { return UniqueFd{::memfd_create("test", MFD_CLOEXEC)}; }

// Whether what `maker` has sealed is known to `reader`.
bool agree(const Seal& maker, const Seal& reader) {
  const auto fd = socket_of_ours();
  return reader.fits(maker.over("channel 1", fd.get()), "channel 1", fd.get());
}

}  // namespace

TEST_CASE("sockets, channels and their memory outlive the keeper; state, revisions and locks do not",
          "[kernel]") {
  for (const auto* name : {"listener:shop:web:http:1:0:0", "channel 7", "socket shop:web k",
                           "memory of channels", "notify 7", "bus"}) {
    CAPTURE(name);
    CHECK(is_storable(name, false));
  }
  for (const auto* name : {"state", "revision/shop/1", "revision/evil/1"}) {
    CAPTURE(name);
    CHECK_FALSE(is_storable(name, false));
    CHECK(is_storable(name, true));
  }
  for (const auto* name : {"", "lock", "state-lock", "passed:bus", "anything"}) {
    CAPTURE(name);
    CHECK_FALSE(is_storable(name, true));
  }
}

TEST_CASE("a seal fits one name and one object", "[kernel]") {
  const auto seal = Seal::for_now();
  for (const bool is_socket : {true, false}) {
    const auto one = is_socket ? socket_of_ours() : memory();
    const auto other = is_socket ? socket_of_ours() : memory();
    const auto text = seal.over("channel 1", one.get());
    REQUIRE(text.size() == 16);
    CHECK(seal.fits(text, "channel 1", one.get()));
    const UniqueFd copy{::dup(one.get())};
    CHECK(seal.fits(text, "channel 1", copy.get()));
    CHECK_FALSE(seal.fits(text, "channel 1", other.get()));
    CHECK_FALSE(seal.fits(text, "channel 2", one.get()));
    CHECK_FALSE(seal.fits(text, "channel 10", one.get()));
    CHECK_FALSE(Seal::for_now().fits(text, "channel 1", one.get()));
  }
  CHECK(seal.over("channel 1", -1).empty());
  CHECK_FALSE(seal.fits("", "channel 1", -1));
}

TEST_CASE("what was passed is taken apart into a name and its seal, or refused", "[kernel]") {
  const auto seal = Seal::for_now();
  const auto fd = socket_of_ours();
  for (const std::string name : {"channel 1", "a~b", "~", "listener:shop:web:http:1:0:0"}) {
    CAPTURE(name);
    const auto text = seal.over(name, fd.get());
    CHECK(unseal(seal, sealed_name(name, text), fd.get()) == name);
    CHECK_FALSE(unseal(seal, name, fd.get()));
    CHECK_FALSE(unseal(seal, name + "~", fd.get()));
    CHECK_FALSE(unseal(seal, "~" + text, fd.get()));
    CHECK_FALSE(unseal(seal, text, fd.get()));
    CHECK_FALSE(unseal(seal, sealed_name(name, text.substr(1)), fd.get()));
    CHECK_FALSE(unseal(seal, sealed_name(name, text + "0"), fd.get()));
    CHECK_FALSE(unseal(seal, sealed_name(name, std::string(16, '0')), fd.get()));
  }
}

TEST_CASE("the next daemon of a state directory knows what the last one sealed, and nobody else's does",
          "[kernel]") {
  Home home, other;
  const auto first = Seal::of_directory(home.path);
  REQUIRE(first);
  struct stat status {};
  REQUIRE(::stat(home.key().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(agree(*first, *Seal::of_directory(home.path)));
  CHECK_FALSE(agree(*first, *Seal::of_directory(other.path)));
}

TEST_CASE("a key that others may have read or written is replaced", "[kernel]") {
  Home home;
  const auto first = Seal::of_directory(home.path);
  REQUIRE(first);
  SECTION("readable by others") { ::chmod(home.key().c_str(), 0640); }
  SECTION("a symbolic link") {
    std::filesystem::rename(home.key(), home.path + "/elsewhere");
    std::filesystem::create_symlink("elsewhere", home.key());
  }
  SECTION("a second name") { std::filesystem::create_hard_link(home.key(), home.path + "/elsewhere"); }
  SECTION("cut short") { std::filesystem::resize_file(home.key(), 8); }
  SECTION("longer") { std::filesystem::resize_file(home.key(), 17); }
  SECTION("a fifo") {
    std::filesystem::remove(home.key());
    REQUIRE(::mkfifo(home.key().c_str(), 0600) == 0);
  }
  SECTION("another user's") {
    if (::geteuid() != 0) return;  // only root can give something away
    REQUIRE(::chown(home.key().c_str(), 12345, 12345) == 0);
  }
  const auto second = Seal::of_directory(home.path);
  REQUIRE(second);
  CHECK_FALSE(agree(*first, *second));
  CHECK(agree(*second, *Seal::of_directory(home.path)));
}

TEST_CASE("no key is kept where others may write", "[kernel]") {
  Home home;
  SECTION("by its mode") { ::chmod(home.path.c_str(), 0777); }
  SECTION("by its owner") {
    if (::geteuid() != 0) return;  // only root can give something away
    REQUIRE(::chown(home.path.c_str(), 12345, 12345) == 0);
  }
  CHECK_FALSE(Seal::of_directory(home.path));
  CHECK_FALSE(std::filesystem::exists(home.key()));
}
