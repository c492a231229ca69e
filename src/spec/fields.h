// SPDX-License-Identifier: Apache-2.0
// The field table: the single source of truth about an app's keys. The decoder, the JSON Schema, `svctl
// explain`, the manual, the plan's reasons and the generation hash are all read off it. To add a key: a
// member in model/app_spec.h, a row in fields.cpp, and `svd-gen-docs write`.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/app_spec.h"
#include "model/plan_step.h"
#include "spec/row.h"

namespace svd::spec {

struct Field : Row<AppSpec> {
  // What the generation hash sees; `show` where it is empty.
  std::function<std::string(const AppSpec&)> identity{};
  // What compare() reports; where it is empty, a change of what `show` says.
  std::function<void(const AppSpec& have, const AppSpec& want, std::vector<FieldChange>&)> compare{};
  // Where the value is a map of named things: the keys of each of them.
  std::vector<Key> entry{};

  [[nodiscard]] const Key* find_entry(std::string_view below) const;
};

// A map of fields under an app: "restart".
struct Section {
  std::string_view key;
  std::string_view doc;
};

// A key at the top of the file. Few, and each is decoded by its own code in decode.cpp.
struct TopKey {
  std::string_view key;
  std::string_view words;
  std::string_view initial;
  std::string_view doc;
};

[[nodiscard]] std::span<const Field> fields();
[[nodiscard]] std::span<const Section> sections();
[[nodiscard]] std::span<const TopKey> top_keys();

[[nodiscard]] const Field* find_field(std::string_view key);
[[nodiscard]] const Section* find_section(std::string_view key);

// The direct children of a section ("" for the app itself): "exec", "restart" … and "delay" … for "restart".
[[nodiscard]] std::vector<std::string> keys_below(std::string_view section);
// ", did you mean 'instances'?" for an unknown key below `section`, from its spelling or from the words that
// other supervisors use. When nothing is near: what the section has, empty for the app itself.
[[nodiscard]] std::string suggest_key(std::string_view section, std::string_view key);

// "replaces the instances"
[[nodiscard]] std::string_view to_words(Effect effect);

}  // namespace svd::spec
