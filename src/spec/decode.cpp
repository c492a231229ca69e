// SPDX-License-Identifier: Apache-2.0
// Text → gate → Document → defaults and profile merged → fields → rules → Ecosystem. Each stage complains and
// goes on, so that one run tells everything.
#include <algorithm>

#include "base/text.h"
#include "spec/compare.h"
#include "spec/default_name.h"
#include "spec/fields.h"
#include "spec/foreign.h"
#include "spec/gate.h"
#include "spec/notes.h"
#include "spec/rules.h"
#include "spec/spec.h"
#include "spec/together.h"

namespace svd::spec {
namespace {

const Node* value_of(const Node& map, std::string_view key) {
  const auto* entry = map.find(key);
  return entry == nullptr || entry->value->kind == Kind::null ? nullptr : entry->value;
}

class Decoder {
 public:
  struct Findings {
    Complaints& complaints;
    Complaints& notes;
  };

  Decoder(Source& source, const Inputs& inputs, Document& document, Findings findings)
      : source_{source},
        inputs_{inputs},
        document_{document},
        complaints_{findings.complaints},
        notes_{findings.notes},
        reading_{findings.complaints, source},
        outside_{source, inputs} {}

  Ecosystem run() {
    Ecosystem ecosystem;
    const auto& root = *document_.root;
    if (!want_map(root, {}, "a map with 'apps'")) return ecosystem;
    for (const auto& [key, value] : root.entries) read_top(*key, *value, ecosystem);
    if (value_of(root, "name") == nullptr) take_default_name(ecosystem.name);
    find_profile(root);
    if (const auto* apps = value_of(root, "apps")) {
      if (apps->kind == Kind::sequence)
        complaints_.add(apps->mark, Place{nullptr, "apps"},
                        "want a map of names to apps; got a list, as PM2 has it: write 'NAME: { exec: … }' "
                        "for each of them");
      else if (want_map(*apps, Place{nullptr, "apps"}, "a map of names to apps"))
        read_apps(*apps, ecosystem);
      together_.check(complaints_);
    } else {
      const auto* entry = root.find("apps");
      const std::string what = entry == nullptr ? "the key 'apps' is missing" : "no apps below it";
      complaints_.add(entry == nullptr ? Mark{1, 1} : entry->key->mark, Place{nullptr, "apps"},
                      what + ": 'apps: {}' is an ecosystem without any");
    }
    return ecosystem;
  }

 private:
  bool want_map(const Node& node, const Place& place, std::string_view words) {
    if (node.kind == Kind::map) return true;
    reading_.refuse(node, place, words);
    return false;
  }

  void read_top(const Node& key, const Node& value, Ecosystem& ecosystem) {
    const Place place{nullptr, key.text};
    if (std::ranges::find(top_keys(), key.text, &TopKey::key) == top_keys().end())
      return unknown_top_key(key, place);
    if (value.kind == Kind::null) return;
    if (key.text == "version" && as_integer(value) != 1)
      reading_.refuse(value, place, "1, the only version so far", quote_hint(value));
    if (key.text == "name") read_name(value, place, ecosystem.name);
    if (key.text == "defaults") check_settings(value, place);
    if (key.text == "profiles") check_profiles(value, place);
  }

  void unknown_top_key(const Node& key, const Place& place) {
    if (complaints_.full()) return;
    std::vector<std::string> known;
    for (const auto& top : top_keys()) known.emplace_back(top.key);
    const auto near = nearest(key.text, known);
    const bool of_app = find_field(key.text) != nullptr || find_section(key.text) != nullptr;
    const auto foreign = foreign_advice(key.text);
    const auto hint = foreign  ? *foreign
                      : near   ? ", did you mean '" + *near + "'?"
                      : of_app ? std::string{": it belongs to an app, under 'apps'"}
                               : std::string{};
    complaints_.add(key.mark, place, "unknown key" + hint);
  }

  void read_name(const Node& value, const Place& place, Name& name) {
    if (!is_text(value))
      return reading_.refuse(value, place, "a name", is_number(value) ? ": put it in quotes" : "");
    if (auto parsed = Name::parse(value.text))
      name = std::move(*parsed);
    else
      complaints_.add(value.mark, place, parsed.error().text);
  }

  void take_default_name(Name& name) {
    if (auto made = default_name(source_.directory))
      name = std::move(*made);
    else
      complaints_.add(Mark{}, Place{nullptr, "name"}, made.error().text);
  }

  // Settings that stand for no app by themselves: looked at for their own sake, so that a mistake is found at
  // its place.
  void check_settings(const Node& settings, const Place& place) {
    AppSpec ignored;
    if (want_map(settings, place, "a map of an app's settings")) read_settings(settings, place, "", ignored);
  }

  void check_profiles(const Node& profiles, const Place& place) {
    if (!want_map(profiles, place, "a map of names to profiles")) return;
    for (const auto& [name, profile] : profiles.entries) {
      const Place here{&place, name->text};
      if (const auto parsed = Name::parse(name->text); !parsed)
        complaints_.add(name->mark, here, parsed.error().text);
      if (profile->kind == Kind::null || !want_map(*profile, here, "a map with 'apps' or 'defaults'"))
        continue;
      for (const auto& [key, value] : profile->entries) check_profile_part(*key, *value, here);
    }
  }

  void check_profile_part(const Node& key, const Node& value, const Place& profile) {
    const Place here{&profile, key.text};
    const std::vector<std::string> known{"defaults", "apps"};
    if (key.text == "defaults") {
      if (value.kind != Kind::null) check_settings(value, here);
    } else if (key.text != "apps") {
      const auto near = nearest(key.text, known);
      complaints_.add(key.mark, here,
                      near ? "unknown key, did you mean '" + *near + "'?"
                           : "unknown key: a profile has 'defaults' and 'apps'");
    } else if (value.kind != Kind::null && want_map(value, here, "a map of names to apps")) {
      for (const auto& [name, settings] : value.entries) {
        const Place app{&here, name->text};
        if (const auto parsed = Name::parse(name->text); !parsed)
          complaints_.add(name->mark, app, parsed.error().text);
        if (settings->kind != Kind::null) check_settings(*settings, app);
      }
    }
  }

  // Addresses are read when the variables that they may take are known.
  enum class Keys { all, first, late };
  static bool is_of(Keys keys, std::string_view key) {
    const bool is_late = key == "listen" || key == "ready";
    return keys == Keys::all || is_late == (keys == Keys::late);
  }

  void read_settings(const Node& map, const Place& place, std::string_view section, AppSpec& app,
                     Keys keys = Keys::all) {
    for (const auto& [key, value] : map.entries) {
      if (!is_of(keys, key->text)) continue;
      const Place here{&place, key->text};
      const auto path = section.empty() ? key->text : std::string{section} + "." + key->text;
      const bool has_dot = key->text.find('.') != std::string::npos;  // "restart.delay" is two keys
      const auto* field = has_dot ? nullptr : find_field(path);
      if (field != nullptr) {
        if (value->kind != Kind::null) field->read(*value, here, reading_, app);
      } else if (!has_dot && find_section(path) != nullptr) {
        if (value->kind != Kind::null && want_map(*value, here, "a map of settings"))
          read_settings(*value, here, path, app);
      } else if (!complaints_.full()) {
        complaints_.add(key->mark, here, "unknown key" + suggest_key(section, key->text));
      }
    }
  }

  void find_profile(const Node& root) {
    if (const auto* defaults = value_of(root, "defaults"); defaults != nullptr && defaults->kind == Kind::map)
      defaults_ = defaults;
    if (source_.profile.empty()) return;
    const auto* profiles = value_of(root, "profiles");
    const auto* entry = profiles == nullptr ? nullptr : profiles->find(source_.profile);
    if (entry == nullptr) return unknown_profile(root, profiles);
    if (entry->value->kind != Kind::map) return;
    if (const auto* more = value_of(*entry->value, "defaults"); more != nullptr && more->kind == Kind::map)
      defaults_ = document_.overlay(defaults_, more);
    if (const auto* apps = value_of(*entry->value, "apps"); apps != nullptr && apps->kind == Kind::map)
      profile_apps_ = apps;
  }

  void unknown_profile(const Node& root, const Node* profiles) {
    constexpr std::size_t most_listed = 10;
    std::string known;
    for (std::size_t i = 0; profiles != nullptr && i < std::min(profiles->entries.size(), most_listed); ++i)
      if (const auto* key = profiles->entries[i].key)
        known += (i == 0 ? ", there are: " : ", ") + in_quotes(key->text);
    const auto* entry = root.find("profiles");
    complaints_.add(entry == nullptr ? Mark{} : entry->key->mark, Place{nullptr, "profiles"},
                    "no profile " + in_quotes(source_.profile) + known);
  }

  void read_apps(const Node& apps, Ecosystem& ecosystem) {
    KeyIndex in_apps{apps};
    std::vector<Entry> all = apps.entries;
    if (profile_apps_ != nullptr) {
      for (const auto& entry : profile_apps_->entries)
        if (in_apps.find(entry.key->text) == KeyIndex::npos && entry.value->kind != Kind::null)
          all.push_back(entry);
    }
    if (all.size() > max_apps)
      return complaints_.add(apps.mark, Place{nullptr, "apps"},
                             std::to_string(all.size()) + " apps, at most " + std::to_string(max_apps));
    const Node none;
    KeyIndex in_profile{profile_apps_ == nullptr ? none : *profile_apps_};
    for (const auto& [key, value] : all) {
      const auto at = in_profile.find(key->text);
      const auto* variant = at == KeyIndex::npos ? nullptr : profile_apps_->entries[at].value;
      if (variant != nullptr && variant->kind == Kind::null) continue;  // the profile takes this app away
      if (!read_app(*key, *value, variant == value ? nullptr : variant, ecosystem)) return;
    }
  }

  // False: too much was merged to go on.
  bool read_app(const Node& key, const Node& own, const Node* variant, Ecosystem& ecosystem) {
    const Place apps{nullptr, "apps"};
    const Place place{&apps, key.text};
    AppSpec app;
    if (auto name = Name::parse(key.text))
      app.name = std::move(*name);
    else
      complaints_.add(key.mark, place, name.error().text);
    const Node* settings = own.kind == Kind::null ? defaults_ : document_.overlay(defaults_, &own);
    settings = document_.overlay(settings, variant);
    if (settings == nullptr) settings = &document_.make(Kind::map, key.mark);
    if (!want_map(*settings, place, "a map of settings, with 'exec'")) return true;
    merged_ += settings->size;
    if (merged_ > max_nodes) {
      complaints_.add(
          key.mark, place,
          "more than " + std::to_string(max_nodes) + " values in all apps, defaults and profile merged");
      return false;
    }
    app.cwd = source_.directory;
    const AppInFile file{*settings, key, place};
    read_settings(*settings, place, "", app, Keys::first);
    outside_.add_secrets(file, app, complaints_);
    reading_.app = &app;
    read_settings(*settings, place, "", app, Keys::late);
    reading_.app = nullptr;
    finish_app(file, std::move(app), ecosystem);
    return true;
  }

  void finish_app(const AppInFile& file, AppSpec app, Ecosystem& ecosystem) {
    check_app(file, app, complaints_);
    check_references(file, app, complaints_);
    note_app(file, app, inputs_, notes_);
    together_.add(file, app);
    const bool fitted = instances_ <= max_instances;
    instances_ += app.instances;
    if (fitted && instances_ > max_instances)
      complaints_.add(file.key.mark, file.place,
                      "with this app, there are more than " + std::to_string(max_instances) + " instances");
    if (!complaints_.empty()) return;
    app.generation = generation_of(app);
    auto name = app.name;
    ecosystem.apps.emplace(std::move(name), std::move(app));
  }

  Source& source_;
  const Inputs& inputs_;
  Document& document_;
  Complaints& complaints_;
  Complaints& notes_;
  Reading reading_;
  Outside outside_;
  Together together_;
  const Node* defaults_ = nullptr;
  const Node* profile_apps_ = nullptr;
  std::size_t merged_ = 0;
  std::uint64_t instances_ = 0;
};

}  // namespace

tl::expected<Ecosystem, Diagnostics> decode(Source& source, const Inputs& inputs, Diagnostics* notes) try {
  std::string storage;
  const auto text =
      source.text.size() > max_text ? std::string_view{source.text} : normalize(source.text, storage);
  if (auto foreign = foreign_file(source.file, text.substr(0, max_text)))
    return tl::make_unexpected(Diagnostics{{0, 0, "", std::move(*foreign)}});
  Complaints complaints{text};
  Complaints noted{text};
  Document document;
  Ecosystem ecosystem;
  if (check_text(text, complaints) && parse_yaml(text, document, complaints))
    ecosystem = Decoder{source, inputs, document, {complaints, noted}}.run();
  if (notes != nullptr) *notes = noted.take();
  if (complaints.empty()) return ecosystem;
  return tl::make_unexpected(complaints.take());
} catch (const std::exception& error) {  // memory, or a bug of the parser: a complaint, not a dead daemon
  return tl::make_unexpected(Diagnostics{{0, 0, "", std::string{"cannot read the file: "} + error.what()}});
}

std::vector<std::string> profiles(std::string_view text) try {
  std::string storage;
  const auto normal = normalize(text.substr(0, max_text), storage);
  Complaints ignored{normal};
  Document document;
  std::vector<std::string> names;
  if (!check_text(normal, ignored) || !parse_yaml(normal, document, ignored)) return names;
  if (document.root->kind != Kind::map) return names;
  if (const auto* map = value_of(*document.root, "profiles"))
    for (const auto& entry : map->entries)
      if (entry.key != nullptr) names.push_back(entry.key->text);
  return names;
} catch (const std::exception&) {
  return {};
}

}  // namespace svd::spec
