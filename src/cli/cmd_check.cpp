// SPDX-License-Identifier: Apache-2.0
// check and explain: what can be said about the file format without a daemon.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/json.h"
#include "cli/load.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

std::string to_json(const Diagnostics& diagnostics) {
  JsonWriter json;
  json.begin_array();
  for (const auto& diagnostic : diagnostics) {
    json.begin_object().member("line", diagnostic.line).member("column", diagnostic.column);
    json.member("path", diagnostic.path).member("text", diagnostic.text).end_object();
  }
  return json.end_array().take();
}

Result<Exit> check(const Context& context, const std::string& file, const std::string& profile, bool json) {
  SVD_TRY(const auto loaded, load(context, file, profile));
  const auto elsewhere = other_profiles_text(context, loaded);
  const auto exit = loaded.decoded && elsewhere.empty() ? Exit::ok : Exit::error;
  if (json) {
    context.out(to_json(loaded.decoded ? loaded.notes : loaded.decoded.error()) + "\n");
    return exit;
  }
  context.err(diagnostics_text(loaded) + elsewhere + notes_text(loaded));
  if (exit != Exit::ok) return exit;
  std::uint64_t instances = 0;
  for (const auto& [name, app] : loaded.decoded->apps) instances += app.instances;
  context.out(safe_lines(loaded.shown_as) + ": ok: ecosystem " + loaded.decoded->name.str() + ", " +
              count(loaded.decoded->apps.size(), "app") + ", " + count(instances, "instance") + "\n");
  return exit;
}

Result<Exit> explain(const Context& context, const std::string& path) {
  SVD_TRY(const auto text, spec::explain(path));
  context.out(text.ends_with('\n') ? text : text + "\n");
  return Exit::ok;
}

}  // namespace

void add_check(CLI::App& root, Context& context) {
  struct Options {
    std::string file, profile;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      root.add_subcommand("check", "Check FILE without a daemon: all errors at once")->group("Files");
  add_file(*command, options->file);
  command->add_option("--profile", options->profile, "Merge this profile of the file over its apps")
      ->type_name("PROFILE");
  add_json_flag(*command, options->json);
  command->footer("svctl check ecosystem.yaml");
  command->callback([options, &context] {
    context.finish(check(context, options->file, options->profile, options->json));
  });
}

void add_explain(CLI::App& root, Context& context) {
  auto path = std::make_shared<std::string>();
  auto* command =
      root.add_subcommand("explain", "What a field of the file means: type, default, effect of a change")
          ->group("Files");
  command->add_option("path", *path, "The field, as in 'apps.web.restart.delay'; without it, the whole file")
      ->type_name("PATH");
  command->footer("svctl explain apps.web.restart");
  command->callback([path, &context] { context.finish(explain(context, *path)); });
}

}  // namespace svd::cli
