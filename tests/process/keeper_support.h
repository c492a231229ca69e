// SPDX-License-Identifier: Apache-2.0
// A real keeper with real engines (stub_engine) in a prefix of its own, driven and watched over a socket.
#pragma once

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include <deque>
#include <map>

#include "kernel/cgroups.h"
#include "processes_support.h"

namespace svd::test {

class Prefix {
 public:
  explicit Prefix(bool with_engine = true) {
    namespace fs = std::filesystem;
    fs::create_directories(home / "bin");
    fs::create_directories(home / "libexec/svd");
    fs::copy_file(SVD_KEEPER, home / "bin/svd");
    if (with_engine) fs::copy_file(SVD_STUB_ENGINE, home / "libexec/svd/engine");
    listener_ = UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (home / "control").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
  }
  Prefix(const Prefix&) = delete;
  Prefix& operator=(const Prefix&) = delete;
  ~Prefix() {
    // The engine first, while its keeper cannot start another one: in the other order it would start another
    // keeper, which nobody would know of. What is left then is in our cgroup base, or known by pid.
    if (keeper > 0) ::kill(static_cast<pid_t>(keeper), SIGSTOP);
    if (engine_pid > 0) end(engine_pid);
    if (keeper > 0) end(keeper);
    engine_.reset();
    for (const auto& [id, pid] : pids)
      if (is_alive(pid)) ::kill(static_cast<pid_t>(pid), SIGKILL);
    if (child > 0) ::waitpid(child, nullptr, 0);
    Cgroups cgroups = Cgroups::find(home / "state");
    for (const auto& leaf : cgroups.available() ? cgroups.leaves() : std::vector<std::string>{}) {
      cgroups.kill(leaf);
      while (cgroups.populated(leaf)) ::sched_yield();
      cgroups.remove(leaf);
    }
    cgroups.remove_base();
  }

  // Starts the keeper as our child; `extra` goes in front of the engine's options.
  void start(std::vector<std::string> extra = {}) {
    std::vector<std::string> words{home / "bin/svd"};
    words.insert(words.begin(), before_.begin(), before_.end());
    words.insert(words.end(), extra.begin(), extra.end());
    for (const auto& word :
         {std::string{"--control"}, home / "control", std::string{"--state"}, home / "state"})
      words.push_back(word);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    REQUIRE(::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
    keeper = child;
  }

  // By way of a program that executes its arguments.
  void start_with(const std::string& launcher, std::vector<std::string> extra = {}) {
    before_ = {launcher};
    start(std::move(extra));
  }

  // Waits for the next engine to connect and to tell what it found.
  void meet_engine() {
    pollfd state{listener_.get(), POLLIN, 0};
    REQUIRE(::poll(&state, 1, 20'000) == 1);
    engine_ = UniqueFd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    input_.clear();
    lines.clear();
    found.clear();
    std::istringstream hello{expect("hello")};
    std::string verb;
    hello >> verb >> engine_pid >> keeper >> taken_over;
    expect("listed");
    for (const auto& line : lines)
      if (line.starts_with("child ") || line.starts_with("held ") || line.starts_with("note "))
        found.push_back(line);
  }
  [[nodiscard]] bool has_found(const std::string& start) const {
    return std::ranges::any_of(found, [&](const std::string& line) { return line.starts_with(start); });
  }

  void say(const std::string& line) {
    const auto whole = line + "\n";
    REQUIRE(::send(engine_.get(), whole.data(), whole.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(whole.size()));
  }

  // The first line from now on, or already there, that begins with `start`; it is taken away.
  std::string expect(const std::string& start) {
    for (;;) {
      for (auto line = lines.begin(); line != lines.end(); ++line) {
        if (!line->starts_with(start)) continue;
        auto found_line = *line;
        if (start != "child" && start != "held") lines.erase(line);
        note(found_line);
        return found_line;
      }
      INFO("waiting for " << start);
      REQUIRE(read_more());
    }
  }
  std::int64_t spawn(std::uint64_t id, const std::string& words) {
    say("spawn " + std::to_string(id) + " " + words);
    expect("spawned " + std::to_string(id) + " ");
    return pids.at(id);
  }
  // True when the engine has hung up and all it said is read.
  bool wait_for_engine_end() {
    while (read_more()) continue;
    return true;
  }
  void wait_for_end_of(std::int64_t pid) {
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
    if (!process) return;
    pollfd state{process.get(), POLLIN, 0};
    REQUIRE(::poll(&state, 1, 20'000) == 1);
  }
  void make_script(const std::string& name, const std::string& body) {
    std::ofstream{home / name} << "#!/bin/sh\n" << body << "\n";
    std::filesystem::permissions(home / name, std::filesystem::perms::owner_all);
  }
  void make_fifo(const std::string& name) { REQUIRE(::mkfifo((home / name).c_str(), 0600) == 0); }
  std::string read_fifo(const std::string& name) { return slurp(home / name); }
  // The engine writes labels when it has nothing else to do.
  void wait_for_label(std::uint64_t id) {
    const Cgroups cgroups = Cgroups::find(home / "state");
    const auto leaf = "shop:web/" + std::to_string(id) + "." + std::to_string(id);
    while (cgroups.label(leaf).empty()) ::sched_yield();
  }
  int exit_code() {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    child = 0;
    keeper = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // Stopped first, so that neither can start the other anew.
  void kill_both() {
    REQUIRE(::kill(child, SIGSTOP) == 0);
    REQUIRE(::kill(engine_pid, SIGKILL) == 0);
    REQUIRE(::kill(child, SIGKILL) == 0);
    exit_code();
  }

  TempDir home;
  pid_t child = 0;          // the keeper that we started
  std::int64_t keeper = 0;  // the one that the engine talks to
  int engine_pid = 0;
  bool taken_over = false;
  std::deque<std::string> lines;
  std::vector<std::string> found;
  std::map<std::uint64_t, std::int64_t> pids;

 private:
  static void end(std::int64_t pid) {
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
    if (!process || ::kill(static_cast<pid_t>(pid), SIGKILL) < 0) return;
    pollfd state{process.get(), POLLIN, 0};
    ::poll(&state, 1, 20'000);
  }
  bool read_more() {
    pollfd state{engine_.get(), POLLIN, 0};
    if (::poll(&state, 1, 20'000) != 1) return false;
    char part[4096];
    const auto got = ::recv(engine_.get(), part, sizeof part, 0);
    if (got <= 0) return false;
    input_.append(part, static_cast<std::size_t>(got));
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      lines.push_back(input_.substr(0, end));
      input_.erase(0, end + 1);
    }
    return true;
  }
  void note(const std::string& line) {
    std::istringstream words{line};
    std::string verb;
    std::uint64_t id = 0;
    std::int64_t pid = 0;
    if (words >> verb >> id >> pid; verb == "spawned") pids[id] = pid;
  }

  std::vector<std::string> before_;
  UniqueFd listener_, engine_;
  std::string input_;
};

}  // namespace svd::test
