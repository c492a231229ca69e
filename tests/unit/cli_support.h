// SPDX-License-Identifier: Apache-2.0
// A scripted world for svctl: a daemon that answers from values, a clock that stands, and golden files.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/parse_names.h"
#include "support/catch.h"

namespace svd::cli_test {

using namespace svd::cli;
using namespace std::chrono_literals;

// 2026-01-31T12:00:00Z: "now" in every test.
inline constexpr WallTime noon{1'769'860'800'000'000};
inline WallTime ago(Millis time) { return {noon.micros - time.count() * 1000}; }

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// Compares with tests/golden/cli/NAME; SVD_UPDATE_GOLDEN=1 rewrites it instead.
inline void check_golden_file(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("SVD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream{path, std::ios::binary} << text;
    return;
  }
  INFO("golden file " << path << "; SVD_UPDATE_GOLDEN=1 rewrites it");
  CHECK(text == read(path));
}
inline void check_golden(const std::string& name, const std::string& text) {
  check_golden_file(std::filesystem::path{"golden/cli"} / (name + ".txt"), text);
}

inline AppId app_id(const std::string& text) { return parse_app_id(text).value(); }

inline InstanceView instance(const std::string& name, Phase phase, const std::string& reason = "") {
  InstanceView view;
  view.id = parse_slot_id(name).value();
  view.phase = phase;
  view.reason = reason;
  view.since = ago(90s);
  view.revision = 3;
  view.generation = 0x1234567890abcdefULL;
  view.log = "/var/log/svd/" + view.id.app.ecosystem.str() + "/" + view.id.app.app.str() + ".log";
  if (is_live(phase)) {
    view.pid = 4000 + view.id.slot;
    view.start = 7 + view.id.slot;
    view.started = ago(3h);
    view.cgroup = "/sys/fs/cgroup/svd/" + name;
    view.usage.memory = std::uint64_t{64 + view.id.slot} << 20;
    view.usage.cpu_time = 1'234'567;
  }
  return view;
}

inline Usage all_figures() {
  Usage usage;
  usage.memory = 412U << 20;
  usage.memory_peak = 500U << 20;
  usage.memory_swap = 0;
  usage.cpu_time = 190'000'000;
  usage.cpu_throttled = 2'500'000;
  usage.pids = 17;
  usage.io_read = 12'345'678;
  usage.io_written = 0;
  usage.cpu_pressure = 1.25;
  usage.memory_pressure = 0;
  return usage;  // and no io_pressure: the kernel does not have everything everywhere
}

inline AppView app(const std::string& name, std::uint32_t ready, std::uint32_t instances,
                   const std::string& state, const std::string& reason = "") {
  AppView view;
  view.id = app_id(name);
  view.instances = instances;
  view.ready = ready;
  view.state = state;
  view.reason = reason;
  view.revision = 3;
  return view;
}

inline ChangeReport change(const std::string& kind, const std::string& state, std::uint32_t done,
                           std::uint32_t total) {
  ChangeReport report;
  report.view.id = ChangeId{12};
  report.view.kind = kind;
  report.view.target = "shop";
  report.view.state = state;
  report.view.done = done;
  report.view.total = total;
  report.view.started = ago(1250ms);
  if (state != "running") report.view.finished = noon;
  return report;
}

struct World;

// Answers from its fields, writes down what was asked, and lets the script decide what wait() is woken by.
struct FakeClient {
  std::vector<std::string> calls;
  std::vector<AppView> apps;
  std::vector<InstanceView> instances;
  std::vector<PlanStep> steps;
  std::vector<RevisionView> revisions;
  std::vector<EventRecord> events;
  DaemonView daemon;
  Result<ChangeReport> change = cli_test::change("apply", "succeeded", 4, 4);
  Result<Begun> begun = Begun{ChangeId{12}, 3};
  Source applied;
  // What wait() returns, one after the other; may change the fields first.
  std::deque<std::function<Result<Happening>()>> script;
  Result<> reconnected{};
  Result<> asked_to_end{};
};

class FakeConnection final : public Client {
 public:
  explicit FakeConnection(FakeClient& fake) : fake_{fake} {}

  Result<Begun> apply(const Source& source) override {
    note("apply " + source.file);
    fake_.applied = source;
    return fake_.begun;
  }
  Result<std::vector<PlanStep>> plan(const Source& source) override {
    note("plan " + source.file);
    return fake_.steps;
  }
  Result<Begun> act(Action action, const Names& names) override {
    constexpr const char* words[] = {"start", "stop", "restart", "reload", "remove"};
    note(words[static_cast<int>(action)], names);
    return fake_.begun;
  }
  Result<Begun> steer(Steer what, const std::string& app) override {
    constexpr const char* words[] = {"pause", "resume", "abort"};
    note(words[static_cast<int>(what)], {app});
    return fake_.begun;
  }
  Result<std::uint32_t> send(const Names& names, const std::string& json) override {
    note("send " + json, names);
    return static_cast<std::uint32_t>(fake_.instances.size());
  }
  Result<Begun> scale(const std::string& name, std::uint32_t instances) override {
    note("scale " + name + " " + std::to_string(instances));
    return fake_.begun;
  }
  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom) override {
    note("signal " + std::to_string(number) + (whom == KillTarget::main ? " main" : " group"), names);
    return static_cast<std::uint32_t>(fake_.instances.size());
  }
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision) override {
    note("rollback " + ecosystem + " " + std::to_string(revision));
    return fake_.begun;
  }
  Result<> shutdown(bool force) override {
    note(force ? "shutdown force" : "shutdown");
    return fake_.asked_to_end;
  }
  Result<> reexecute() override {
    note("reexecute");
    return fake_.asked_to_end;
  }
  Result<std::vector<AppView>> apps(const Names& names) override {
    note("apps", names);
    if (!names.empty() && names.front() == "wbe")
      return fail(std::errc::no_such_process, "no app is named 'wbe', did you mean 'web'?");
    return fake_.apps;
  }
  Result<AppView> app(const AppId& id) override {
    for (const auto& view : fake_.apps)
      if (view.id == id) return view;
    return fail(std::errc::no_such_process, "no app " + id.str());
  }
  Result<std::vector<InstanceView>> instances(const Names& names) override {
    note("instances", names);
    std::vector<InstanceView> found;
    for (const auto& view : fake_.instances)
      if (names.empty() || names.front() == view.id.str() || names.front() == view.id.app.str() ||
          names.front() == view.id.app.app.str() || view.id.str().ends_with(":" + names.front()))
        found.push_back(view);
    return found;
  }
  Result<> measure(const Names& names, std::vector<InstanceView>& views) override {
    note("measure", names);
    for (auto& view : views)
      if (view.pid != 0) view.usage = all_figures();
    return {};
  }
  Result<ChangeReport> change(ChangeId) override {
    note("change");
    return fake_.change;
  }
  Result<std::vector<RevisionView>> history(const std::string& ecosystem) override {
    note("history " + ecosystem);
    return fake_.revisions;
  }
  Result<std::vector<EventRecord>> events(std::uint64_t after, std::uint32_t) override {
    std::vector<EventRecord> found;
    for (const auto& record : fake_.events)
      if (record.sequence > after) found.push_back(record);
    return found;
  }
  Result<DaemonView> daemon() override { return fake_.daemon; }
  Result<> subscribe(Topic topic) override {
    constexpr const char* words[] = {"events", "instances", "messages"};
    note("subscribe " + std::string{words[static_cast<int>(topic)]});
    return {};
  }
  Result<> watch(ChangeId) override { return {}; }
  Result<Happening> wait(const WaitFor& what) override {
    if (fake_.script.empty())
      return fail(std::errc::io_error, "the script of this test has no more happenings");
    auto next = std::move(fake_.script.front());
    fake_.script.pop_front();
    auto happening = next();
    const bool is_descriptor = happening && happening->kind == Happening::Kind::descriptor;
    if (is_descriptor && std::ranges::find(what.descriptors, happening->fd) == what.descriptors.end())
      return fail(std::errc::io_error, "svctl does not wait for descriptor " + std::to_string(happening->fd));
    return happening;
  }
  Result<> reconnect(SteadyTime) override {
    note("reconnect");
    return fake_.reconnected;
  }

 private:
  void note(std::string call, const Names& names = {}) {
    for (const auto& name : names) call += " " + name;
    fake_.calls.push_back(std::move(call));
  }

  FakeClient& fake_;
};

struct FakeHelper final : Helper {};

struct World {
  FakeClient daemon;
  bool daemon_runs = true;
  bool believed = false;                      // whoever listens, when it was last connected to
  std::optional<std::int64_t> hidden_daemon;  // what await_daemon says: the pid of one whose socket is gone
  int daemons_started = 0;
  Result<> start_result{};
  bool exits_in_time = true;
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> environment{{"SVD_HOME", "/h"}};
  std::set<std::string> existing;
  std::set<std::string> pipes;        // those of the files that are no regular ones
  std::string prefix = "/usr";        // where svctl is installed
  std::vector<std::string> programs;  // that were run: "systemctl start svd.service"
  std::string failing_program;        // ends with 1
  std::uint32_t uid = 1000;
  std::map<std::string, std::vector<std::string>> logs;  // by where
  std::optional<WallTime> asked_since;                   // by whoever read logs last
  std::string out, err;
  SteadyTime steady{};
  static constexpr int interrupt_fd = 99;
  static constexpr int reader_fd = 98;  // readable: nobody reads what svctl prints
  std::vector<System::DaemonHere> daemons_here;

  Context context() {
    System system;
    system.environment = [this](const std::string& name) {
      const auto found = environment.find(name);
      return found == environment.end() ? std::nullopt : std::optional{found->second};
    };
    system.uid = uid;
    system.user_name = [] { return std::string{"ann"}; };
    system.prefix = prefix;
    system.cpus = 4;
    system.directory = "/srv/shop";
    system.out = [this](std::string_view text) { out += text; };
    system.err = [this](std::string_view text) { err += text; };
    system.now = [] { return noon; };
    system.steady = [this] { return steady; };
    system.read_file = [this](const std::string& path, std::size_t) -> Result<std::string> {
      const auto found = files.find(path);
      if (found == files.end()) return fail_errno(ENOENT, "cannot read '" + path + "'");
      return found->second;
    };
    system.is_regular = [this](const std::string& path) { return !pipes.contains(path); };
    system.exists = [this](const std::string& path) {
      return existing.contains(path) || logs.contains(path);
    };
    system.run = [this](const std::vector<std::string>& argv) -> Result<int> {
      std::string line;
      for (const auto& word : argv) line += (line.empty() ? "" : " ") + word;
      programs.push_back(line);
      return line == failing_program ? 1 : 0;
    };
    system.connect = [this](const Endpoint& where) -> Result<std::unique_ptr<Client>> {
      believed = where.is_chosen;
      if (!daemon_runs) return fail(std::errc::connection_refused, "refused");
      return std::unique_ptr<Client>{std::make_unique<FakeConnection>(daemon)};
    };
    system.start_daemon = [this](const Directories&) {
      ++daemons_started;
      daemon_runs = static_cast<bool>(start_result);
      return start_result;
    };
    system.await_daemon = [this](const Directories&) { return hidden_daemon; };
    system.wait_for_exit = [this](std::uint64_t, SteadyTime) { return exits_in_time; };
    system.interrupts = [] { return interrupt_fd; };
    system.reader_gone = [] { return reader_fd; };
    system.daemons_here = [this] { return daemons_here; };
    system.read_logs = [this](const std::vector<LogSource>& sources, const LogQuery& query,
                              const LogSink& sink) { return give_logs(sources, query, sink); };
    system.in_background = [](const std::function<void(int)>& body) -> Result<std::unique_ptr<Helper>> {
      body(-1);
      return std::unique_ptr<Helper>{std::make_unique<FakeHelper>()};
    };
    return Context{std::move(system)};
  }

  Exit run(const std::vector<std::string>& arguments) {
    auto made = context();
    return run(arguments, made);
  }
  Exit run(const std::vector<std::string>& arguments, Context& made) {
    out.clear();
    err.clear();
    return run_command_line(arguments, made);
  }

  // The script's words.
  void happens(Happening::Kind kind, std::function<void()> meanwhile = {}) {
    daemon.script.push_back([kind, meanwhile = std::move(meanwhile)]() -> Result<Happening> {
      if (meanwhile) meanwhile();
      return Happening{.kind = kind, .fd = kind == Happening::Kind::descriptor ? interrupt_fd : -1};
    });
  }
  void reader_goes() {
    daemon.script.push_back([]() -> Result<Happening> {
      return Happening{.kind = Happening::Kind::descriptor, .fd = reader_fd};
    });
  }
  void connection_breaks(std::function<void()> meanwhile = {}) {
    daemon.script.push_back([meanwhile = std::move(meanwhile)]() -> Result<Happening> {
      if (meanwhile) meanwhile();
      return fail(std::errc::not_connected, "the connection was lost");
    });
  }

 private:
  Result<> give_logs(const std::vector<LogSource>& sources, const LogQuery& query, const LogSink& sink) {
    asked_since = query.since;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto& lines = logs[sources[i].where];
      const auto skipped = query.lines && lines.size() > *query.lines ? lines.size() - *query.lines : 0;
      for (auto at = skipped; at < lines.size(); ++at)
        if (!sink({LogLine::Kind::text, i, std::nullopt, lines[at], true})) return {};
    }
    return {};
  }
};

}  // namespace svd::cli_test
