// SPDX-License-Identifier: Apache-2.0
#include "cli/json_views.h"

#include <array>
#include <cstdio>

#include "cli/json.h"

namespace svd::cli {
namespace {

// A hash has 64 bits, and a number in JSON safely only 53.
std::string hex(std::uint64_t hash) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

void add_app_id(JsonWriter& json, const AppId& id) {
  json.member("ecosystem", id.ecosystem.str()).member("app", id.app.str());
}

template <class T>
void add_known(JsonWriter& json, std::string_view name, const std::optional<T>& figure) {
  json.key(name);
  if (figure)
    json.value(*figure);
  else
    json.null();
}

void add_usage(JsonWriter& json, const Usage& usage) {
  json.key("usage").begin_object();
  for (const auto& [name, member] : usage_figures) add_known(json, name, usage.*member);
  json.key("pressure").begin_object();
  for (const auto& [name, member] : usage_pressures) add_known(json, name, usage.*member);
  json.end_object().end_object();
}

void add_step(JsonWriter& json, const PlanStep& step) {
  json.begin_object().member("action", to_text(step.action));
  add_app_id(json, step.app);
  json.member("instances", step.instances)
      .member("summary", step.summary)
      .member("why", step.why)
      .member("notes", step.notes)
      .end_object();
}

}  // namespace

std::string to_json(const InstanceView& view) {
  JsonWriter json;
  json.begin_object().member("instance", view.id.str());
  add_app_id(json, view.id.app);
  json.member("slot", view.id.slot).member("phase", to_text(view.phase)).member("reason", view.reason);
  json.member("pid", view.pid).member("start", view.start).member("revision", view.revision);
  json.member("generation", hex(view.generation)).member("restarts", view.restarts);
  json.member("since", view.since).member("started", view.started).member("next_start", view.next_start);
  json.member("last_exit", to_text(view.last_exit)).member("cgroup", view.cgroup).member("log", view.log);
  json.member("role", view.role).member("directory", view.directory);
  add_usage(json, view.usage);
  return json.end_object().take();
}

std::string to_json(const AppView& view) {
  JsonWriter json;
  json.begin_object().member("name", view.id.str());
  add_app_id(json, view.id);
  json.member("instances", view.instances).member("ready", view.ready).member("state", view.state);
  json.member("reason", view.reason).member("wanted", view.wanted).member("revision", view.revision);
  json.member("update", view.update);
  if (!view.exec.empty()) {  // only app() knows the rest
    json.member("generation", hex(view.generation)).member("exec", view.exec).member("cwd", view.cwd);
    json.member("user", view.user).member("env", view.env).member("log", view.log);
    json.member("settings", view.settings).member("listeners", view.listeners);
    json.member("degraded", view.degraded);
    add_usage(json, view.usage);
  }
  return json.end_object().take();
}

std::string to_json(const PlanStep& step) {
  JsonWriter json;
  add_step(json, step);
  return json.take();
}

std::string to_json(const RevisionView& view) {
  JsonWriter json;
  json.begin_object().member("ecosystem", view.ecosystem.str()).member("number", view.number);
  json.member("when", view.when).member("who", view.who).member("outcome", view.outcome);
  json.member("file", view.file).member("summary", view.summary).member("current", view.current);
  return json.end_object().take();
}

std::string to_json(const EventRecord& record) {
  JsonWriter json;
  json.begin_object().member("sequence", record.sequence).member("when", record.when);
  json.member("kind", record.kind).member("subject", record.subject).member("text", record.text);
  return json.end_object().take();
}

std::string to_json(const ChangeReport& report) {
  const auto& view = report.view;
  JsonWriter json;
  json.begin_object().member("change", static_cast<std::uint64_t>(view.id)).member("kind", view.kind);
  json.member("target", view.target).member("state", view.state).member("error", view.error);
  json.member("done", view.done).member("total", view.total).member("revision", view.revision);
  json.member("started", view.started).member("finished", view.finished).key("steps").begin_array();
  for (const auto& step : view.steps) add_step(json, step);
  json.end_array().key("failed").begin_array();
  for (const auto& slot : report.failures) {
    json.begin_object().member("instance", slot.instance).member("phase", slot.phase);
    json.member("reason", slot.reason).end_object();
  }
  return json.end_array().end_object().take();
}

std::string to_json(const DaemonView& view) {
  JsonWriter json;
  json.begin_object().member("version", view.version).member("pid", view.keeper_pid);
  json.member("engine_pid", view.engine_pid).member("started", view.started);
  json.member("engine_started", view.engine_started).member("engine_starts", view.engine_starts);
  json.member("address", view.address).member("state_directory", view.state_directory);
  json.member("log_directory", view.log_directory).member("degraded", view.degraded);
  json.member("unsaved", view.unsaved);
  return json.end_object().take();
}

}  // namespace svd::cli
