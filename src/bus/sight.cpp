// SPDX-License-Identifier: Apache-2.0
#include "bus/sight.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace svd::bus {
namespace {

void hide(std::string& text) {
  if (!text.empty()) text = hidden;
}

// One mark for all: how many there are is not shown either.
void hide(std::vector<std::string>& texts) {
  if (!texts.empty()) texts = {hidden};
}

// "NAME=value" → "NAME=(hidden)".
void hide_values(std::vector<std::string>& pairs) {
  for (auto& pair : pairs) {
    const auto name = pair.substr(0, pair.find('='));
    pair = name + "=" + hidden;
  }
}

// The program is a name; what it was given is not.
void hide_arguments(std::vector<std::string>& argv) {
  if (argv.size() > 1) argv = {argv.front(), hidden};
}

// "failed: …" → "failed".
void keep_word(std::string& text, std::size_t end) {
  constexpr std::array<std::string_view, 4> words{"running", "succeeded", "failed", "superseded"};
  text.resize(std::min(end, text.size()));
  if (std::ranges::find(words, text) == words.end()) hide(text);
}

void hide(PlanStep& step) {
  hide(step.summary);
  hide(step.why);
  hide(step.notes);
}

}  // namespace

Audience audience_of(Access access) {
  switch (access) {
    case Access::none:
    case Access::reader:
      return Audience::everybody;
    case Access::member:
    case Access::full:
      return Audience::insiders;
  }
  return Audience::everybody;
}

// 0 means that there is none, and stays.
std::uint64_t Sight::generation(std::uint64_t hash) const {
  if (hash == 0) return 0;
  return std::max<std::uint64_t>(1, siphash(key_, hash));
}

AppView Sight::shown(AppView view) const {
  view.generation = generation(view.generation);
  if (!names_only()) return view;
  hide_arguments(view.exec);
  hide_values(view.env);
  hide_values(view.settings);
  for (auto* text : {&view.reason, &view.cwd}) hide(*text);
  for (auto* texts : {&view.listeners, &view.degraded}) hide(*texts);
  return view;
}

InstanceView Sight::shown(InstanceView view) const {
  view.generation = generation(view.generation);
  if (!names_only()) return view;
  for (auto* text : {&view.reason, &view.directory, &view.log}) hide(*text);
  return view;
}

ChangeView Sight::shown(ChangeView view) const {
  if (!names_only()) return view;
  hide(view.error);
  for (auto& step : view.steps) hide(step);
  return view;
}

RevisionView Sight::shown(RevisionView view) const {
  if (!names_only()) return view;
  keep_word(view.outcome, view.outcome.find(':'));
  hide(view.file);
  hide(view.summary);
  return view;
}

EventRecord Sight::shown(EventRecord record) const {
  if (names_only()) hide(record.text);
  return record;
}

DaemonInfo Sight::shown(DaemonInfo info) const {
  if (!names_only()) return info;
  hide(info.unsaved);
  hide(info.degraded);
  return info;
}

template <class View>
Result<std::vector<View>> Sight::all(Result<std::vector<View>> views) const {
  if (views)
    for (auto& view : *views) view = shown(std::move(view));
  return views;
}

template <class View>
std::optional<View> Sight::one(std::optional<View> view) const {
  if (view) *view = shown(std::move(*view));
  return view;
}

Result<std::vector<AppView>> Sight::apps(const Names& names) const { return all(views_->apps(names)); }
Result<std::vector<InstanceView>> Sight::instances(const Names& names) const {
  return all(views_->instances(names));
}
std::optional<AppView> Sight::app(const AppId& id) const { return one(views_->app(id)); }
std::optional<InstanceView> Sight::instance(const SlotId& id) const { return one(views_->instance(id)); }
std::optional<ChangeView> Sight::change(ChangeId id) const { return one(views_->change(id)); }
Result<std::vector<RevisionView>> Sight::history(const std::string& ecosystem) const {
  return all(views_->history(ecosystem));
}

std::vector<EventRecord> Sight::events(std::uint64_t after, std::uint32_t limit) const {
  auto records = views_->events(after, limit);
  for (auto& record : records) record = shown(std::move(record));
  return records;
}

}  // namespace svd::bus
