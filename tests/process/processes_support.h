// SPDX-License-Identifier: Apache-2.0
// A LinuxProcesses with a real keeper, which this process starts with --adopt: for it the test is the engine.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "kernel/processes.h"
#include "loop/loop.h"
#include "support/catch.h"

namespace svd::test {

inline std::string slurp(const std::string& path) {
  std::ifstream file{path};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A directory that is removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/svd-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline bool is_alive(std::int64_t pid) {
  const auto stat = slurp("/proc/" + std::to_string(pid) + "/stat");
  const auto at = stat.rfind(") ");
  return at != std::string::npos && stat[at + 2] != 'Z' && stat[at + 2] != 'X';
}

// Starts a keeper for which we are the engine; the result is our end of its socket. `words` end in "--adopt".
inline UniqueFd start_keeper(std::vector<std::string> words = {SVD_KEEPER, "--adopt"}) {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, pair[1], 3);
  ::posix_spawn_file_actions_addclosefrom_np(&files, 4);
  pid_t pid = 0;
  const int err = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(pair[1]);
  REQUIRE(err == 0);
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(status == 0);
  return UniqueFd{pair[0]};
}

class FixedStdio : public StdioSource {
 public:
  Result<Stdio> open(const SlotId&, const LogPolicy&, std::uint64_t) override {
    if (refuse != 0) return fail_errno(refuse, "cannot open the log");
    Stdio stdio{kind, path, {}};
    if (kind == Stdio::Kind::fd) stdio.fd = UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    return stdio;
  }
  Stdio::Kind kind = Stdio::Kind::null;
  std::string path;
  int fd = -1;
  int refuse = 0;
};

// Where instances of one test live; their cgroup base is named after `home`.
class Lab {
 public:
  // `next_keeper`: the program to start when the keeper dies.
  explicit Lab(bool use_cgroups = true, std::string next_keeper = SVD_KEEPER)
      : use_cgroups_{use_cgroups}, next_keeper_{std::move(next_keeper)} {
    connect(start_keeper());
  }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;
  ~Lab() { end(); }

  void connect(UniqueFd socket) {
    std::filesystem::create_directories(home / "run");
    auto connected =
        LinuxProcesses::connect(loop,
                                {.socket = socket.release(),
                                 .state_directory = home.path(),
                                 .runtime_directory = home / "run",
                                 .use_cgroups = use_cgroups_,
                                 .keeper_program = next_keeper_,
                                 .arguments = {}},
                                {.stdio = stdio, .listeners = listeners, .channels = channels},
                                {.event = [this](const Event& event) { events.push_back(event); },
                                 .shutdown = [this](bool force) { shutdowns.push_back(force); },
                                 .hangup = [this] { ++hangups; },
                                 .keeper_replaced = [this] { ++replaced; }});
    REQUIRE((connected ? "" : connected.error().text) == std::string{});
    processes = std::move(*connected);
    keeper = processes->keeper_pid();
  }

  // Kills what is left, waits for the keeper's end.
  void end() {
    if (!processes) return;
    for (const auto& child : processes->children()) processes->kill(child.id);
    const bool emptied = run_until([this] { return processes->children().empty(); });
    CHECK(emptied);
    const auto pid = processes->keeper_pid();
    for (int i = 0; i < 100; ++i) sd_event_run(loop.get(), 0);  // lets it remove cgroups
    const int watch = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<int>(pid), 0));
    processes->quit(0);
    processes.reset();
    if (watch >= 0) {
      // It waits for us to end, or to hang up: its engine is this very process.
      ::kill(static_cast<pid_t>(pid), SIGKILL);
      ::close(watch);
    }
  }

  LaunchPlan plan(std::vector<std::string> argv) {
    LaunchPlan made;
    made.id = StartId{++last};
    made.slot = {{Name::parse("shop").value(), Name::parse("web").value()},
                 static_cast<std::uint32_t>(last % 1000)};
    made.revision = 3;
    made.generation = 77;
    made.argv = std::move(argv);
    made.envp = {"PATH=/usr/bin:/bin"};
    made.cwd = home.path();
    return made;
  }

  template <class Done>
  bool run_until(Done&& done, Millis limit = Millis{20'000}) {
    const auto deadline = Loop::now().mono + limit;
    while (!done()) {
      const auto left =
          std::chrono::duration_cast<std::chrono::microseconds>(deadline - Loop::now().mono).count();
      if (left <= 0) return false;
      sd_event_run(loop.get(), static_cast<std::uint64_t>(left));
    }
    return true;
  }

  // The first event of this kind about `id`, waited for.
  template <class Kind>
  Kind wait(StartId id) {
    const Kind* found = nullptr;
    const bool came = run_until([&] { return (found = find<Kind>(id)) != nullptr; });
    REQUIRE(came);
    return *found;
  }
  template <class Kind>
  const Kind* find(StartId id) const {
    for (const auto& event : events)
      if (const auto* one = std::get_if<Kind>(&event); one != nullptr && one->id == id) return one;
    return nullptr;
  }
  template <class Kind>
  std::size_t count() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        events, [](const Event& event) { return std::holds_alternative<Kind>(event); }));
  }

  std::int64_t start(LaunchPlan made) {
    const auto id = made.id;
    processes->spawn(std::move(made));
    processes->flush();
    return wait<Spawned>(id).pid;
  }
  StartFailure fail_to_start(LaunchPlan made) {
    const auto id = made.id;
    processes->spawn(std::move(made));
    processes->flush();
    return wait<SpawnFailed>(id).why;
  }
  ExitStatus exit_of(StartId id) { return wait<Exited>(id).status; }
  // Everything of it, gone.
  void kill_and_wait(StartId id) {
    processes->kill(id);
    wait<Gone>(id);
  }
  // A FIFO in `home`, for a script to write to. read_fifo() waits for a writer and reads all that it writes.
  void make_fifo(const std::string& name) { REQUIRE(::mkfifo((home / name).c_str(), 0600) == 0); }
  std::string read_fifo(const std::string& name) { return slurp(home / name); }

  // Output of a program that ends, run as an instance.
  std::string output(LaunchPlan made) {
    const auto id = made.id;
    stdio.kind = Stdio::Kind::path;
    stdio.path = home / "out";
    std::filesystem::remove(stdio.path);
    start(std::move(made));
    exit_of(id);
    kill_and_wait(id);
    stdio.kind = Stdio::Kind::null;
    return slurp(stdio.path);
  }

  TempDir home;
  Loop loop = std::move(Loop::make().value());
  FixedStdio stdio;
  ListenerSource* listeners = nullptr;  // before connect()
  ChannelSource* channels = nullptr;
  std::vector<Event> events;
  std::vector<bool> shutdowns;
  int hangups = 0;
  int replaced = 0;
  std::uint64_t last = 0;
  std::int64_t keeper = 0;
  std::unique_ptr<LinuxProcesses> processes;

 private:
  bool use_cgroups_;
  std::string next_keeper_;
};

}  // namespace svd::test
