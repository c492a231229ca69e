// SPDX-License-Identifier: Apache-2.0
// A Control that says what it is told to say and remembers what it was asked.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "bus/server.h"
#include "engine/control.h"

namespace svd::test {

inline AppId app_id(const std::string& ecosystem, const std::string& app) {
  return {*Name::parse(ecosystem), *Name::parse(app)};
}

class FakeControl final : public Control {
 public:
  std::vector<std::string> calls;  // "start web by root"
  std::vector<Source> sources;
  std::map<AppId, AppView> app_views;
  std::map<SlotId, InstanceView> instance_views;
  std::map<ChangeId, ChangeView> change_views;
  std::vector<EventRecord> event_records;
  std::vector<RevisionView> revision_views;
  std::vector<PlanStep> steps;
  Result<Begun> answer = Begun{ChangeId{7}, 3};
  bool throws = false;
  mutable unsigned listings = 0;  // how often all instances were asked for

  void add_app(const AppId& id, std::uint32_t instances) {
    AppView app;
    app.id = id;
    app.instances = instances;
    app.ready = instances;
    app.state = "ready";
    app.revision = 1;
    app.exec = {"/bin/sleep", "1000"};
    app.env = {"A=1", "TOKEN=(secret)"};
    app_views[id] = app;
    for (std::uint32_t slot = 0; slot < instances; ++slot) {
      InstanceView view;
      view.id = {id, slot};
      view.phase = Phase::ready;
      view.pid = 1000 + slot;
      view.start = slot + 1;
      view.log = "none";
      instance_views[view.id] = view;
    }
  }

  Result<Begun> apply(Source source, const Actor& who) override {
    sources.push_back(std::move(source));
    return begin("apply", {}, who);
  }
  Result<std::vector<PlanStep>> plan(Source source) override {
    sources.push_back(std::move(source));
    if (!answer) return tl::make_unexpected(answer.error());
    return steps;
  }
  Result<Begun> start(const Names& names, const Actor& who) override { return begin("start", names, who); }
  Result<Begun> stop(const Names& names, const Actor& who) override { return begin("stop", names, who); }
  Result<Begun> restart(const Names& names, const Actor& who) override {
    return begin("restart", names, who);
  }
  Result<Begun> reload(const Names& names, const Actor& who) override { return begin("reload", names, who); }
  Result<Begun> pause(const std::string& app, const Actor& who) override {
    return begin("pause", {app}, who);
  }
  Result<Begun> resume(const std::string& app, const Actor& who) override {
    return begin("resume", {app}, who);
  }
  Result<Begun> abort(const std::string& app, const Actor& who) override {
    return begin("abort", {app}, who);
  }
  Result<std::uint32_t> send(const Names& names, const std::string& json, const Actor& who) override {
    const auto begun = begin("send " + json, names, who);
    if (!begun) return tl::make_unexpected(begun.error());
    return static_cast<std::uint32_t>(names.size());
  }
  Result<Begun> remove(const Names& names, const Actor& who) override { return begin("delete", names, who); }
  Result<Begun> scale(const std::string& app, std::uint32_t instances, const Actor& who) override {
    return begin("scale " + std::to_string(instances), {app}, who);
  }
  Result<std::uint32_t> signal(const Names& names, int number, KillTarget whom, const Actor& who) override {
    const auto begun = begin(
        "signal " + std::to_string(number) + (whom == KillTarget::main ? " main" : " group"), names, who);
    if (!begun) return tl::make_unexpected(begun.error());
    return static_cast<std::uint32_t>(names.size());
  }
  Result<Begun> rollback(const std::string& ecosystem, std::uint64_t revision, const Actor& who) override {
    return begin("rollback " + std::to_string(revision), {ecosystem}, who);
  }
  void shutdown(const Actor& who, bool force) override {
    calls.push_back(std::string{"shutdown "} + (force ? "force by " : "by ") + who.name);
  }

  [[nodiscard]] Result<std::vector<AppView>> apps(const Names& names) const override {
    if (throws) throw std::runtime_error{"the fake throws"};
    std::vector<AppView> found;
    for (const auto& [id, view] : app_views)
      if (wanted(names, id.app.str())) found.push_back(view);
    if (found.empty() && !names.empty())
      return fail(std::errc::no_such_process, "cannot find '" + names.front() + "': did you mean 'web'?");
    return found;
  }
  [[nodiscard]] Result<std::vector<InstanceView>> instances(const Names& names) const override {
    ++listings;
    std::vector<InstanceView> found;
    for (const auto& [id, view] : instance_views)
      if (wanted(names, id.app.app.str())) found.push_back(view);
    return found;
  }
  [[nodiscard]] std::optional<AppView> app(const AppId& id) const override { return find(app_views, id); }
  [[nodiscard]] std::optional<InstanceView> instance(const SlotId& id) const override {
    return find(instance_views, id);
  }
  [[nodiscard]] Usage usage(const AppId&, Figures which) const override { return measured(which); }
  [[nodiscard]] Usage usage(const SlotId&, StartId start, Figures which) const override {
    return start == StartId{} ? Usage{} : measured(which);
  }
  [[nodiscard]] std::optional<ChangeView> change(ChangeId id) const override {
    return find(change_views, id);
  }
  [[nodiscard]] std::vector<ChangeId> changes() const override {
    std::vector<ChangeId> ids;
    for (const auto& [id, view] : change_views) ids.push_back(id);
    return ids;
  }
  [[nodiscard]] Result<std::vector<RevisionView>> history(const std::string&) const override {
    return revision_views;
  }
  [[nodiscard]] std::vector<EventRecord> events(std::uint64_t after, std::uint32_t) const override {
    std::vector<EventRecord> found;
    for (const auto& record : event_records)
      if (record.sequence > after) found.push_back(record);
    return found;
  }

  Usage figures;  // of whatever runs

 private:
  [[nodiscard]] Usage measured(Figures which) const {
    if (which == Figures::all) return figures;
    Usage brief;
    brief.memory = figures.memory;
    brief.cpu_time = figures.cpu_time;
    return brief;
  }
  static bool wanted(const Names& names, const std::string& name) {
    return names.empty() || std::ranges::find(names, name) != names.end();
  }
  template <class Map, class Id>
  static std::optional<typename Map::mapped_type> find(const Map& map, const Id& id) {
    const auto found = map.find(id);
    return found == map.end() ? std::nullopt : std::optional{found->second};
  }
  Result<Begun> begin(const std::string& verb, const Names& names, const Actor& who) {
    std::string call = verb;
    for (const auto& name : names) call += " " + name;
    calls.push_back(call + " by " + who.name);
    return answer;
  }
};

class FakeHost final : public bus::Host {
 public:
  bus::DaemonInfo described{.version = "1.2.3",
                            .keeper_pid = 11,
                            .engine_pid = 12,
                            .started = {100},
                            .engine_started = {200},
                            .engine_starts = 3,
                            .degraded = {"no cgroups"},
                            .address = "unix:path=/x",
                            .state_directory = "/state",
                            .log_directory = "/log"};
  std::vector<std::string> lines;
  unsigned before = 0, after = 0, reexecutions = 0;
  std::function<void()> on_request;  // after each call that changes something

  [[nodiscard]] bus::DaemonInfo info() const override { return described; }
  void before_request() override { ++before; }
  void after_request() override {
    ++after;
    if (on_request) on_request();
  }
  void reexecute() override { ++reexecutions; }
  [[nodiscard]] std::uint32_t cpus() const override { return 4; }
  void log(std::string_view line) override { lines.emplace_back(line); }
};

}  // namespace svd::test
