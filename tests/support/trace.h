// SPDX-License-Identifier: Apache-2.0
// Stands between an engine and its ports, and hashes every call with all it was given, in order: what it does
// to the world, and apart from that what it tells its observer. Two engines that do the same to the same
// world have the same trace.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/ports.h"

namespace svd::test {

class Trace final : public ProcessPort,
                    public ListenerPort,
                    public ChannelPort,
                    public LimitPort,
                    public LogPort,
                    public StatePort,
                    public Observer {
 public:
  explicit Trace(const Ports& to) : to_{to} {}
  [[nodiscard]] Ports ports() { return {*this, *this, *this, *this, *this, *this, *this, to_.decode}; }
  [[nodiscard]] std::uint64_t effects() const { return effects_; }
  [[nodiscard]] std::uint64_t news() const { return news_; }

  void spawn(LaunchPlan plan) override {
    static_cast<void>(write_out(plan, {}));  // what cannot be is told by the world
    note("spawn", plan.id, plan.slot, plan.revision, plan.generation, plan.argv, plan.envp,
         plan.listen.size());
    to_.processes.spawn(std::move(plan));
  }
  void signal(StartId id, int number, KillTarget whom) override {
    note("signal", id, number, whom);
    to_.processes.signal(id, number, whom);
  }
  void kill(StartId id) override {
    note("kill", id);
    to_.processes.kill(id);
  }
  void cancel(StartId id) override {
    note("cancel", id);
    to_.processes.cancel(id);
  }
  void await(StartId id) override {
    note("await", id);
    to_.processes.await(id);
  }
  void forget(std::span<const StartId> ids) override {
    note("forget", ids);
    to_.processes.forget(ids);
  }
  void flush() override {
    note("flush");
    to_.processes.flush();
  }
  [[nodiscard]] std::string cgroup(StartId id, const SlotId& slot) const override {
    return to_.processes.cgroup(id, slot);
  }
  [[nodiscard]] std::string directory(StartId id) const override { return to_.processes.directory(id); }

  using ListenerPort::bind;
  Result<> bind(const AppSpec& spec, const AppId& app, std::uint32_t slots,
                std::span<const Giver> givers) override {
    note("bind", app, slots, spec.listen.size());
    for (const auto& listener : spec.listen) note(listener.port);
    for (const auto& giver : givers) note(giver.app, giver.keeps.size());
    return to_.listeners.bind(spec, app, slots, givers);
  }
  void retain(const AppId& app, std::span<const Listener> keep, bool gone) override {
    note("retain", app, gone);
    for (const auto& listener : keep) note(listener.port);
    to_.listeners.retain(app, keep, gone);
  }
  void retain_all(std::span<const AppId> apps) override {
    note("retain_all", apps);
    to_.listeners.retain_all(apps);
  }
  [[nodiscard]] std::vector<AppId> holders(const Name& ecosystem) const override {
    return to_.listeners.holders(ecosystem);
  }
  void serve(const AppId& app, std::span<const std::pair<std::uint32_t, StartId>> ready) override {
    note("serve", app);
    for (const auto& [slot, id] : ready) note(slot, id);
    to_.listeners.serve(app, ready);
  }
  [[nodiscard]] bool has_waiting(const AppId& app, std::uint32_t slot, StartId id) const override {
    return to_.listeners.has_waiting(app, slot, id);
  }
  [[nodiscard]] std::vector<std::string> describe(const AppId& app) const override {
    return to_.listeners.describe(app);
  }

  void drain(StartId id) override {
    note("drain", id);
    to_.channels.drain(id);
  }
  void disconnect(StartId id, const std::string& message) override {
    note("disconnect", id, message);
    to_.channels.disconnect(id, message);
  }
  Result<> send(StartId id, const std::string& json) override {
    note("send", id, json);
    return to_.channels.send(id, json);
  }

  void adjust(const AppId& app, const Limits& limits) override {
    note("adjust", app, limits.memory.value_or(0));
    to_.limits.adjust(app, limits);
  }
  void adjust(StartId id, const SlotId& slot, const Limits& limits) override {
    note("adjust", id, slot, limits.memory.value_or(0));
    to_.limits.adjust(id, slot, limits);
  }
  [[nodiscard]] std::vector<std::string> unenforceable(const AppId& app, const AppSpec& spec) const override {
    return to_.limits.unenforceable(app, spec);
  }
  [[nodiscard]] Usage usage(const AppId& app, Figures figures) const override {
    return to_.limits.usage(app, figures);
  }
  [[nodiscard]] Usage usage(StartId id, const SlotId& slot, Figures figures) const override {
    return to_.limits.usage(id, slot, figures);
  }

  void attach(const SlotId& slot, const LogPolicy& policy) override {
    note("attach", slot, policy.keep);
    to_.logs.attach(slot, policy);
  }
  void detach(const SlotId& slot) override {
    note("detach", slot);
    to_.logs.detach(slot);
  }
  [[nodiscard]] LogPolicy::To automatic() const override { return to_.logs.automatic(); }
  [[nodiscard]] std::string where(const SlotId& slot, const LogPolicy& policy) const override {
    return to_.logs.where(slot, policy);
  }

  bool save(const std::string& runtime) override {
    note("save", runtime);
    return to_.state.save(runtime);
  }
  bool save_revision(const Revision& revision) override {
    const auto& view = revision.view;
    note("save_revision", view.ecosystem, view.number, view.outcome, view.summary, revision.source.text);
    return to_.state.save_revision(revision);
  }
  Result<Revision> load_revision(const Name& ecosystem, std::uint64_t number) override {
    note("load_revision", ecosystem, number);
    return to_.state.load_revision(ecosystem, number);
  }
  void remove_revision(const Name& ecosystem, std::uint64_t number) override {
    note("remove_revision", ecosystem, number);
    to_.state.remove_revision(ecosystem, number);
  }

  void instance_changed(const SlotId& id) override {
    told("instance_changed", id);
    to_.observer.instance_changed(id);
  }
  void instance_removed(const SlotId& id) override {
    told("instance_removed", id);
    to_.observer.instance_removed(id);
  }
  void app_changed(const AppId& id) override {
    told("app_changed", id);
    to_.observer.app_changed(id);
  }
  void app_removed(const AppId& id) override {
    told("app_removed", id);
    to_.observer.app_removed(id);
  }
  void change_started(ChangeId id) override {
    told("change_started", id);
    to_.observer.change_started(id);
  }
  void change_changed(ChangeId id) override {
    told("change_changed", id);
    to_.observer.change_changed(id);
  }
  void change_finished(ChangeId id) override {
    told("change_finished", id);
    to_.observer.change_finished(id);
  }
  void event(const EventRecord& record) override {
    told("event", record.sequence, record.kind, record.subject, record.text, record.start, record.revision);
    to_.observer.event(record);
  }

 private:
  template <class... All>
  void note(const All&... all) {
    into_ = &effects_;
    (add(all), ...);
  }
  template <class... All>
  void told(const All&... all) {
    into_ = &news_;
    (add(all), ...);
  }
  template <class Number>
  requires std::is_arithmetic_v<Number> || std::is_enum_v<Number>
  void add(Number value) { add(std::to_string(static_cast<std::uint64_t>(value))); }
  void add(std::string_view text) {
    for (const char c : text) mix(static_cast<std::uint8_t>(c));
    mix(0);
  }
  void add(const std::string& text) { add(std::string_view{text}); }
  void add(const char* text) { add(std::string_view{text}); }
  void add(const Name& name) { add(name.str()); }
  void add(const AppId& id) { add(id.str()); }
  void add(const SlotId& id) { add(id.str()); }
  template <class Item>
  void add(std::span<Item> items) {
    for (const auto& item : items) add(item);
    mix(1);
  }
  void add(const std::vector<std::string>& items) { add(std::span{items}); }
  // FNV-1a, 64 bits.
  void mix(std::uint8_t byte) { *into_ = (*into_ ^ byte) * 0x100000001b3ULL; }

  Ports to_;
  std::uint64_t effects_ = 0xcbf29ce484222325ULL, news_ = effects_;
  std::uint64_t* into_ = &effects_;
};

}  // namespace svd::test
