// SPDX-License-Identifier: Apache-2.0
// An engine in the world of fake_world.h, with ecosystems written on one line.
#pragma once

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/fake_world.h"

namespace svd::test {

// A stand-in for the file format: one line an app, "web instances=3 gen=1 delay=0 …"; the first line is the
// ecosystem's name.
inline Result<Ecosystem> decode_simple(Source& source) {
  std::istringstream text{source.text};
  std::string line;
  std::getline(text, line);
  auto name = Name::parse(line);
  if (!name) return fail(std::errc::invalid_argument, "test.yaml:1:1: name: " + name.error().text);
  Ecosystem out{std::move(*name), {}};
  while (std::getline(text, line)) {
    std::istringstream words{line};
    std::string word;
    words >> word;
    auto app_name = Name::parse(word);
    if (!app_name) return fail(std::errc::invalid_argument, "test.yaml: " + app_name.error().text);
    auto& app = out.apps[*app_name];
    app.name = *app_name;
    app.exec = {"/bin/" + word};
    app.cwd = "/";
    app.generation = 7;
    app.update.order = UpdatePolicy::Order::stop_first;
    app.update.min_ready = Millis{0};
    app.update.on_failure = UpdatePolicy::OnFailure::pause;
    while (words >> word) {
      const auto equals = word.find('=');
      const auto key = word.substr(0, equals), value = word.substr(equals + 1);
      const auto number = [&] { return std::stoll(value); };
      if (key == "instances")
        app.instances = static_cast<std::uint32_t>(number());
      else if (key == "gen") {
        app.generation = static_cast<std::uint64_t>(number()) + 100;
        app.env["GEN"] = value;
      } else if (key == "exec")
        app.exec = {value};
      else if (key == "policy")
        app.restart.policy = static_cast<RestartPolicy::When>(number());
      else if (key == "delay")
        app.restart.delay = Millis{number()};
      else if (key == "max")
        app.restart.max_restarts = static_cast<std::uint32_t>(number());
      else if (key == "window")
        app.restart.window = Millis{number()};
      else if (key == "jitter")
        app.restart.jitter = static_cast<double>(number()) / 100;
      else if (key == "reset")
        app.restart.reset_after = Millis{number()};
      else if (key == "timeout")
        app.stop.timeout = Millis{number()};
      else if (key == "ready") {
        app.ready.kind = ReadyGate::Kind::notify;
        app.ready.timeout = Millis{number()};
      } else if (key == "channel")
        app.channel = value == "node" ? ChannelKind::node : ChannelKind::json;
      else if (key == "listen" || key == "even") {
        auto& listener = app.listen.emplace_back();
        listener.name = *Name::parse("p" + value);
        listener.port = static_cast<std::uint16_t>(number());
        if (key == "even") listener.balance = Listener::Balance::even;
      } else if (key == "message")
        app.stop.message = value;
      else if (key == "drain")
        app.update.drain = Millis{number()};
      else if (key == "surge") {
        app.update.order = UpdatePolicy::Order::start_first;
        app.update.max_surge.value = static_cast<std::uint32_t>(number());
      } else if (key == "missing")
        app.update.max_unavailable.value = static_cast<std::uint32_t>(number());
      else if (key == "after")
        app.depends_on[*Name::parse(value)] = Dependency::ready;
      else if (key == "begun")
        app.depends_on[*Name::parse(value)] = Dependency::started;
      else if (key == "min_ready")
        app.update.min_ready = Millis{number()};
      else if (key == "deadline")
        app.update.deadline = Millis{number()};
      else if (key == "rollback")
        app.update.on_failure = UpdatePolicy::OnFailure::rollback;
      else if (key == "memory")
        app.limits.memory = static_cast<std::uint64_t>(number()) << 20;
      else if (key == "app_memory")
        app.app_limits.memory = static_cast<std::uint64_t>(number()) << 20;
      else if (key == "required")
        app.limits_required = number() != 0;
      else if (key == "keep")
        app.logs.keep = static_cast<std::uint32_t>(number());
      else if (key == "essential")
        app.essential = number() != 0;
      else if (key == "secret")
        app.secret_env["TOKEN"] = value;
      else if (key == "port") {
        app.env["PORT"] = value;
        app.increment_env = {"PORT"};
      } else
        return fail(std::errc::invalid_argument, "test.yaml: unknown key " + key);
    }
  }
  return out;
}

inline Ports ports_of(FakeWorld& world) {
  return {world, world, world, world, world, world, world, decode_simple};
}

inline Source file(std::string text) {
  Source source;
  source.text = std::move(text);
  source.file = "/etc/test.yaml";
  source.directory = "/etc";
  return source;
}

// An engine in its world. settle() lets everything happen that happens without time passing.
struct Bench {
  FakeWorld world;
  std::unique_ptr<Engine> engine = std::make_unique<Engine>(ports_of(world), 1);
  std::optional<TimePoint> wake;
  std::vector<std::string> problems;
  Actor root{0, "root"};

  void settle() {
    do {
      while (!world.events.empty()) {
        engine->dispatch(world.take_event(), world.now);
      }
      wake = engine->reconcile(world.now);
    } while (!world.events.empty() || (wake && *wake <= world.now.mono));
  }
  // Lets time pass up to then, waking the engine when it wants to be.
  void pass(Nanos by) {
    const auto until = world.now.mono + by;
    settle();
    while (wake && *wake <= until) {
      world.advance(*wake - world.now.mono);
      settle();
    }
    world.advance(until - world.now.mono);
    settle();
  }
  void restart_engine() {
    engine.reset();
    world.engine_died();
    world.strict_changes = false;  // it goes on with changes that it did not begin
    engine = std::make_unique<Engine>(ports_of(world), 2);
    problems = engine->restore(world.restored(), world.now);
    settle();
  }
  Result<Begun> apply(const std::string& text) {
    engine->set_now(world.now);
    auto begun = engine->apply(file(text), root);
    settle();
    return begun;
  }
  InstanceView instance(const std::string& app, std::uint32_t slot, const std::string& ecosystem = "shop") {
    return engine->instance({{*Name::parse(ecosystem), *Name::parse(app)}, slot}).value_or(InstanceView{});
  }
  AppView app(const std::string& name, const std::string& ecosystem = "shop") {
    return engine->app({*Name::parse(ecosystem), *Name::parse(name)}).value_or(AppView{});
  }
  ChangeView change(const Begun& begun) { return engine->change(begun.change).value_or(ChangeView{}); }
  void crash(const std::string& app, std::uint32_t slot) {
    const auto start = instance(app, slot).start;
    world.crash(StartId{start});
  }
};

}  // namespace svd::test
