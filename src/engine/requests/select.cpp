// SPDX-License-Identifier: Apache-2.0
#include "engine/requests/select.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"
#include "engine/requests/pattern.h"
#include "engine/world/apps.h"
#include "plan/diff.h"

namespace svd {
namespace {

// A name taken apart; nothing in it is known to exist.
struct Parts {
  std::optional<std::string> ecosystem;
  std::string app;  // empty: all of the ecosystem
  std::optional<std::uint32_t> slot;
};

std::optional<Parts> take_apart(std::string_view text) {
  Parts parts;
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    parts.ecosystem = std::string{text.substr(0, colon)};
    text.remove_prefix(colon + 1);
    if (text.empty()) return parts;
  }
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    std::uint32_t slot = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), slot);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size())
      return std::nullopt;
    parts.slot = slot;
    text = text.substr(0, slash);
  }
  if (text.empty()) return std::nullopt;
  parts.app = std::string{text};
  return parts;
}

class Selection {
 public:
  Selection(std::map<AppId, App>& apps, Use use) : apps_{apps}, use_{use} {}

  Result<> add(const std::string& name) {
    if (name == "all") {
      for (auto& [id, app] : apps_) add_whole(app);
      return {};
    }
    if (name.size() >= 2 && name.front() == '/' && name.back() == '/') return add_pattern(name);
    return add_name(name);
  }

  std::vector<Chosen> take() {
    std::vector<Chosen> out;
    for (auto& [id, chosen] : chosen_) {
      std::ranges::sort(chosen.slots);
      const auto again = std::ranges::unique(chosen.slots);
      chosen.slots.erase(again.begin(), again.end());
      out.push_back(std::move(chosen));
    }
    return out;
  }

 private:
  [[nodiscard]] bool visible(const App& app) const { return use_ == Use::view || !app.removed; }

  void add_whole(App& app) {
    if (!visible(app)) return;
    auto& chosen = chosen_[app.id];
    chosen = {&app, true, chosen.named, {}};
    for (const auto& slot : app.slots)
      if (slot && (use_ == Use::view || !app.is_surplus(*slot))) chosen.slots.push_back(slot->index);
  }

  Result<> add_slot(App& app, std::uint32_t index) {
    auto* slot = index < app.slots.size() ? app.slots[index].get() : nullptr;
    if (slot == nullptr || (use_ == Use::change && app.is_surplus(*slot)))
      return fail(std::errc::no_such_process, "cannot find " + app.id.str() + "/" + std::to_string(index) +
                                                  ": it has " + plan::count_instances(app.instances()) +
                                                  ", counted from 0");
    auto& chosen = chosen_[app.id];
    chosen.app = &app;
    chosen.slots.push_back(index);
    return {};
  }

  Result<> add_pattern(const std::string& name) {
    SVD_TRY(const auto pattern, Pattern::parse(std::string_view{name}.substr(1, name.size() - 2)));
    bool found = false;
    for (auto& [id, app] : apps_) {
      if (!visible(app) || !pattern.search(id.str())) continue;
      found = true;
      add_whole(app);
    }
    if (found) return {};
    return fail(std::errc::no_such_process, "cannot find an app that matches " + printable(name));
  }

  Result<> add_name(const std::string& name) {
    const auto parts = take_apart(name);
    std::vector<App*> found;
    if (parts)
      for (auto& [id, app] : apps_)
        if (visible(app) && (!parts->ecosystem || id.ecosystem.str() == *parts->ecosystem) &&
            (parts->app.empty() || id.app.str() == parts->app))
          found.push_back(&app);
    if (found.empty()) return unknown(name);
    if (use_ == Use::change && !parts->ecosystem && found.size() > 1) return ambiguous(name, found);
    for (auto* app : found) {
      if (!parts->slot)
        add_whole(*app);
      else if (auto added = add_slot(*app, *parts->slot); !added && found.size() == 1)
        return added;
      if (const auto entry = chosen_.find(app->id); entry != chosen_.end() && !parts->app.empty())
        entry->second.named = true;
    }
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> unknown(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& [id, app] : apps_) {
      if (!visible(app)) continue;
      names.push_back(id.app.str());
      names.push_back(id.str());
      names.push_back(id.ecosystem.str() + ":");
    }
    const auto slash = name.find('/');
    const auto near = nearest(std::string_view{name}.substr(0, slash), names);
    return fail(std::errc::no_such_process, "cannot find '" + printable(name) + "': no such app" +
                                                (near ? ", did you mean '" + *near + "'?" : ""));
  }

  [[nodiscard]] static tl::unexpected<Error> ambiguous(const std::string& name,
                                                       const std::vector<App*>& found) {
    std::string list;
    for (const auto* app : found) list += (list.empty() ? "" : ", ") + app->id.str();
    return fail(std::errc::invalid_argument, "cannot tell which '" + printable(name) + "' is meant: " + list);
  }

  std::map<AppId, App>& apps_;
  Use use_;
  std::map<AppId, Chosen> chosen_;
};

}  // namespace

Result<std::vector<Chosen>> select(std::map<AppId, App>& apps, const Names& names, Use use) {
  if (names.empty() && use == Use::change)
    return fail(std::errc::invalid_argument, "cannot choose apps: no name was given");
  Selection selection{apps, use};
  for (const auto& name : names.empty() ? Names{"all"} : names) SVD_CHECK(selection.add(name));
  return selection.take();
}

}  // namespace svd
