// SPDX-License-Identifier: Apache-2.0
// The file format: YAML text in, values or complaints out. Reads no file, no environment and no clock by
// itself. No header of this module shows a yaml-cpp type.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "model/app_spec.h"
#include "model/diagnostic.h"
#include "model/plan_step.h"

namespace svd::spec {

// What decoding may ask for besides the text. A value that `source` holds already is not asked for again; an
// answer is kept in `source`, so that the same source always decodes to the same ecosystem.
struct Inputs {
  std::function<Result<std::string>(const std::string& path)> read_file;           // env files
  std::function<std::optional<std::string>(const std::string& name)> environment;  // pass_env
  // What the machine at hand can tell about an app that is to run on it: "user", "there is no user 'ann'
  // here". For notes alone; the file may be meant for another machine.
  struct Doubt {
    std::string key, text;
  };
  std::function<std::vector<Doubt>(const AppSpec& app)> doubts{};
};

// All complaints at once, in the order of the file; never throws; bounded in time and memory whatever the
// text is. `notes`, where given: what is allowed but hardly meant, each text beginning with "warning: ";
// those of the chosen profile.
[[nodiscard]] tl::expected<Ecosystem, Diagnostics> decode(Source& source, const Inputs& inputs,
                                                          Diagnostics* notes = nullptr);
// The names of the profiles of a file; empty where it cannot be read.
[[nodiscard]] std::vector<std::string> profiles(std::string_view text);

// "eco.yaml:7:5: apps.web.instnaces: unknown key, did you mean 'instances'?" with the source line and a caret
// under it, one block a diagnostic. Never shows a line of a value that may be secret.
[[nodiscard]] std::string render(const Diagnostics& diagnostics, const Source& source);

// What differs between two specs of an app, field by field of the table, secrets hidden. `instances` has
// Effect::scale.
[[nodiscard]] std::vector<FieldChange> compare(const AppSpec& have, const AppSpec& want);

// "restart.delay=100ms" for every field of the table that is neither env nor exec, in table order. For
// status.
[[nodiscard]] std::vector<std::string> settings(const AppSpec& spec);

// The JSON Schema (draft-07) of the file: what schemas/ecosystem.schema.json holds.
[[nodiscard]] std::string json_schema();
// The reference manual of the file, in Markdown: what contrib/manual/ecosystem.md holds.
[[nodiscard]] std::string manual();
// `svctl explain apps.web.restart`: type, default, limits, effect of a change, documentation. Error: no such
// field, did you mean.
[[nodiscard]] Result<std::string> explain(std::string_view path);

// Limits on a file; each is a Diagnostic, not a crash.
inline constexpr std::size_t max_text = 8U << 20;  // bytes: 10,000 apps fit with room
inline constexpr std::size_t max_nodes = 400'000;  // after aliases and merge keys are expanded
inline constexpr std::size_t max_depth = 32;
inline constexpr std::size_t max_aliases = 10'000;
inline constexpr std::size_t max_apps = 10'000;
inline constexpr std::size_t max_listeners = 32;       // of one app: all of them go to each of its processes
inline constexpr std::size_t max_env_file = 1U << 20;  // bytes
inline constexpr std::size_t max_diagnostics = 100;    // the rest is counted in a last line

}  // namespace svd::spec
