// SPDX-License-Identifier: Apache-2.0
// An engine without policy, for tests of what outlives an engine: LinuxProcesses driven by lines over a
// socket of the test's.
//   stub_engine --control PATH --state DIRECTORY [--without-cgroups] [--expects-bus] [anything]
// Commands: spawn ID WORDS… | spawn_many FIRST COUNT WORDS… | signal ID NUMBER | kill ID | forget ID | hold
// NAME PATH | quit CODE | ready Answers: hello PID KEEPER TAKEN_OVER, child ID PID EXITED KIND NUMBER SLOT
// REVISION GENERATION, held NAME, note TEXT, listed; then events: spawned ID PID, failed ID STAGE ERRNO,
// exited ID KIND NUMBER, gone ID, shutdown FORCE, hangup, replaced KEEPER.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "kernel/processes.h"
#include "loop/loop.h"

namespace {

using namespace svd;

class NullStdio : public StdioSource {
 public:
  Result<Stdio> open(const SlotId&, const LogPolicy&, std::uint64_t) override { return Stdio{}; }
};

class StubEngine {
 public:
  StubEngine(std::string control, std::string state, std::vector<std::string> arguments)
      : state_{std::move(state)},
        arguments_{std::move(arguments)},
        control_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, control.c_str(), sizeof address.sun_path - 1);
    if (::connect(control_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      std::_Exit(7);
  }

  int run() {
    auto keeper =
        std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path() / "bin/svd";
    auto connected = LinuxProcesses::connect(
        loop_,
        {.socket = 3,
         .state_directory = state_,
         .use_cgroups = std::ranges::find(arguments_, "--without-cgroups") == arguments_.end(),
         .keeper_program = keeper,
         .arguments = arguments_,
         .expects =
             [this](const std::string& name, int) {
               return name == "bus" && std::ranges::find(arguments_, "--expects-bus") != arguments_.end();
             }},
        {.stdio = stdio_},
        {.event = [this](const Event& event) { std::visit([this](const auto& one) { tell(one); }, event); },
         .shutdown = [this](bool force) { say("shutdown " + std::to_string(force)); },
         .hangup = [this] { say("hangup"); },
         .keeper_replaced = [this] { say("replaced " + std::to_string(processes_->keeper_pid())); }});
    if (!connected) {
      say("cannot " + connected.error().text);
      return 1;
    }
    processes_ = std::move(*connected);
    introduce();
    if (!watch_.arm(loop_, control_.get(), EPOLLIN, Priority::client, [this](std::uint32_t) { read(); }))
      return 1;
    return loop_.run().value_or(1);
  }

 private:
  static std::string text(StartId id) { return std::to_string(static_cast<std::uint64_t>(id)); }
  static std::string text(const ExitStatus& status) {
    return std::to_string(static_cast<int>(status.kind)) + " " + std::to_string(status.number);
  }

  void say(const std::string& line) {
    const auto whole = line + "\n";
    // The test has ended: so do we, and the keeper's children with it.
    if (::send(control_.get(), whole.data(), whole.size(), MSG_NOSIGNAL) < 0) std::_Exit(0);
  }

  void introduce() {
    say("hello " + std::to_string(::getpid()) + " " + std::to_string(processes_->keeper_pid()) + " " +
        std::to_string(processes_->taken_over()));
    for (const auto& child : processes_->children())
      say("child " + text(child.id) + " " + std::to_string(child.pid) + " " + std::to_string(child.exited) +
          " " + text(child.status) + " " + child.slot.str() + " " + std::to_string(child.revision) + " " +
          std::to_string(child.generation));
    for (const auto& name : processes_->held_names()) say("held " + name);
    for (const auto& note : processes_->degraded()) say("note " + note);
    say("listed");
  }

  void tell(const Spawned& event) { say("spawned " + text(event.id) + " " + std::to_string(event.pid)); }
  void tell(const SpawnFailed& event) {
    say("failed " + text(event.id) + " " + std::to_string(static_cast<int>(event.why.stage)) + " " +
        std::to_string(event.why.err));
  }
  void tell(const Exited& event) { say("exited " + text(event.id) + " " + text(event.status)); }
  void tell(const Gone& event) { say("gone " + text(event.id)); }
  void tell(const ToldReady& event) { say("ready " + text(event.id)); }
  void tell(const Drained& event) { say("drained " + text(event.id)); }

  void read() {
    char part[4096];
    const auto got = ::recv(control_.get(), part, sizeof part, MSG_DONTWAIT);
    if (got == 0) std::_Exit(0);
    if (got < 0) return;
    input_.append(part, static_cast<std::size_t>(got));
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      obey(input_.substr(0, end));
      input_.erase(0, end + 1);
    }
    processes_->flush();
  }

  void spawn(std::uint64_t id, const std::vector<std::string>& argv) {
    LaunchPlan plan;
    plan.id = StartId{id};
    plan.slot = {{Name::parse("shop").value(), Name::parse("web").value()}, static_cast<std::uint32_t>(id)};
    plan.revision = 5;
    plan.generation = 6;
    plan.argv = argv;
    plan.envp = {"PATH=/usr/bin:/bin"};
    plan.cwd = "/";
    plan.stop.timeout = Millis{300};
    processes_->spawn(std::move(plan));
  }

  void obey(const std::string& line) {
    std::istringstream words{line};
    std::string verb, name, path;
    std::uint64_t id = 0;
    int number = 0;
    words >> verb;
    const auto rest = [&] {
      std::vector<std::string> argv;
      for (std::string word; words >> word;) argv.push_back(word);
      return argv;
    };
    if (verb == "spawn" && words >> id) spawn(id, rest());
    if (verb == "spawn_many" && words >> id >> number)
      for (const auto argv = rest(); number > 0; --number) spawn(id++, argv);
    if (verb == "signal" && words >> id >> number) processes_->signal(StartId{id}, number, KillTarget::group);
    if (verb == "kill" && words >> id) processes_->kill(StartId{id});
    if (verb == "forget" && words >> id) {
      const StartId forgotten{id};
      processes_->forget({&forgotten, 1});
    }
    if (verb == "hold" && words >> name >> path) {
      const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
      if (const auto held = processes_->hold(name, fd.get()); !held) say("note " + held.error().text);
    }
    if (verb == "echo") {
      processes_->flush();
      say("echo");
    }
    if (verb == "ready") processes_->ready();
    if (verb == "quit" && words >> number) {
      processes_->quit(number);
      std::_Exit(0);
    }
  }

  std::string state_;
  std::vector<std::string> arguments_;
  UniqueFd control_;
  std::string input_;
  Loop loop_ = std::move(Loop::make().value());
  NullStdio stdio_;
  std::unique_ptr<LinuxProcesses> processes_;
  IoWatch watch_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string control, state;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--control") == 0) control = argv[i + 1];
    if (std::strcmp(argv[i], "--state") == 0) state = argv[i + 1];
  }
  return StubEngine{control, state, {argv + 1, argv + argc}}.run();
}
