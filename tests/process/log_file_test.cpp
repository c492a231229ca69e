// SPDX-License-Identifier: Apache-2.0
// A log is opened with the daemon's rights, in directories that may be the app's: that must not lead the
// daemon to anybody's file. Links and files of somebody else can be made by root only.
#include <fstream>

#include "files/trusted_path.h"
#include "processes_support.h"

using namespace svd;
using namespace svd::test;

namespace {

namespace fs = std::filesystem;
constexpr uid_t somebody = 65'534;

class Place {
 public:
  Place() {
    fs::create_directory(lab_.home / "ours");
    fs::create_directory(lab_.home / "theirs");
    std::ofstream{lab_.home / "ours/file"} << "precious\n";
    if (is_root()) own("theirs");
    lab_.stdio.kind = Stdio::Kind::path;
  }
  static bool is_root() { return ::geteuid() == 0; }
  [[nodiscard]] std::string path(const std::string& name) const { return lab_.home / name; }
  void own(const std::string& name) const { REQUIRE(::lchown(path(name).c_str(), somebody, somebody) == 0); }
  void link(const std::string& name, const std::string& target) const {
    fs::create_symlink(target, path(name));
  }
  // 0: the start succeeded, and its output went there.
  int error_of(const std::string& name) {
    lab_.stdio.path = name.starts_with('/') ? name : path(name);
    auto plan = lab_.plan({"/bin/echo", "output"});
    const auto id = plan.id;
    lab_.processes->spawn(std::move(plan));
    lab_.processes->flush();
    REQUIRE(lab_.run_until(
        [&] { return lab_.find<Exited>(id) != nullptr || lab_.find<SpawnFailed>(id) != nullptr; }));
    const auto* const failed = lab_.find<SpawnFailed>(id);
    if (failed == nullptr) return 0;
    CHECK(failed->why.stage == StartStage::log);
    CHECK(failed->why.detail == lab_.stdio.path);
    return failed->why.err;
  }
  [[nodiscard]] std::string text(const std::string& name) const { return slurp(path(name)); }
  [[nodiscard]] bool is_untouched() const { return text("ours/file") == "precious\n"; }
  void reject(const std::string& name, int err) {
    CHECK(error_of(name) == err);
    CHECK(is_untouched());
    CHECK_FALSE(fs::exists(path("ours/new")));
  }

 private:
  Lab lab_;
};

}  // namespace

TEST_CASE("our own links lead to the log, wherever they are", "[keeper][logs]") {
  Place place;
  const auto [name, target, link] = GENERATE(table<std::string, std::string, std::string>({
      {"theirs/log", "ours/file", "../ours/file"},
      {"theirs/log", "ours/new", "../ours/./new"},  // not there yet
      {"ours/log", "ours/new", "//proc/../HOME/ours//new"},
  }));
  auto words = link;
  if (const auto at = words.find("HOME"); at != std::string::npos) words.replace(at, 4, place.path(""));
  place.link(name, words);
  CHECK(place.error_of(name) == 0);
  CHECK_THAT(place.text(target), ContainsSubstring("output\n"));
}

TEST_CASE("a directory may be our own link, over several of them", "[keeper][logs]") {
  Place place;
  place.link("one", "two/../two");
  place.link("two", place.path("ours"));
  CHECK(place.error_of("one//new") == 0);
  CHECK(place.text("ours/new") == "output\n");
}

TEST_CASE("links in a circle lead nowhere", "[keeper][logs]") {
  Place place;
  place.link("one", "two");
  place.link("two", "one");
  CHECK(place.error_of("one") == ELOOP);
  CHECK(place.error_of("one/log") == ELOOP);
}

TEST_CASE("devices and what /proc leads to are logs, too", "[keeper][logs]") {
  Place place;
  place.link("null", "/dev/null");
  place.link("standard", "/proc/self/fd/0");
  CHECK(place.error_of("/dev/null") == 0);
  CHECK(place.error_of("null") == 0);
  CHECK(place.error_of("standard") == 0);
}

TEST_CASE("nobody else's link is followed", "[keeper][logs]") {
  if (!Place::is_root()) return;
  Place place;
  SECTION("to a file") {
    place.link("theirs/log", "../ours/file");
    place.own("theirs/log");
    place.reject("theirs/log", ELOOP);
  }
  SECTION("to a file that is not there yet") {
    place.link("theirs/log", "../ours/new");
    place.own("theirs/log");
    place.reject("theirs/log", ELOOP);
  }
  SECTION("to a directory") {
    place.link("theirs/logs", "../ours");
    place.own("theirs/logs");
    place.reject("theirs/logs/file", ELOOP);
    place.reject("theirs/logs/new", ELOOP);
    CHECK(open_trusted_directory(place.path("theirs/logs")) < 0);
    CHECK(errno == ELOOP);
  }
  SECTION("behind one of ours") {
    place.link("theirs/logs", "../ours");
    place.own("theirs/logs");
    place.link("entry", "theirs/logs/new");
    place.reject("entry", ELOOP);
  }
}

TEST_CASE("a second name of a file is opened only where nobody else can make one", "[keeper][logs]") {
  if (!Place::is_root()) return;
  Place place;
  fs::create_hard_link(place.path("ours/file"), place.path("theirs/log"));
  place.reject("theirs/log", EMLINK);
  CHECK(place.error_of("ours/file") == 0);
  fs::permissions(place.path("ours"), fs::perms::others_write, fs::perm_options::add);
  CHECK(place.error_of("ours/file") == EMLINK);
}

TEST_CASE("what is no file is a log only where nobody else can make it", "[keeper][logs]") {
  Place place;
  for (const std::string name : {"ours/fifo", "theirs/fifo"}) {
    REQUIRE(::mkfifo(place.path(name).c_str(), 0600) == 0);
    const UniqueFd reader{::open(place.path(name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
    CHECK(place.error_of(name) == (Place::is_root() && name.starts_with("theirs") ? EACCES : 0));
  }
}

TEST_CASE("a directory is found through our links as the log itself is", "[keeper][logs]") {
  Place place;
  place.link("one", "./two");
  place.link("two", place.path("ours/"));
  const UniqueFd directory{open_trusted_directory(place.path("one"))};
  REQUIRE(directory);
  CHECK(::faccessat(directory.get(), "file", F_OK, 0) == 0);
  CHECK(open_trusted_directory(place.path("ours/file")) < 0);
  CHECK(errno == ENOTDIR);
  CHECK(open_trusted_directory(place.path("missing")) < 0);
  CHECK(errno == ENOENT);
}
