// SPDX-License-Identifier: Apache-2.0
// ls: one call, one table.
#include <CLI/CLI.hpp>
#include <memory>
#include <set>

#include "cli/command_line.h"
#include "cli/json_views.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct LsOptions {
  Names names;
  bool json = false;
  bool only_names = false;
  bool ecosystems = false;
};

// For shell completion: apps as one would type them, one a line; says nothing when there is no daemon to ask.
Result<Exit> list_names(const Context& context, bool ecosystems) {
  const auto client = context.connect();
  if (!client) return Exit::no_daemon;
  SVD_TRY(const auto apps, (*client)->apps({}));
  const bool qualified = has_several_ecosystems(apps);
  std::set<std::string> names;
  for (const auto& app : apps)
    names.insert(ecosystems ? app.id.ecosystem.str() : short_name(app.id, qualified));
  for (const auto& name : names) context.out(name + "\n");
  return Exit::ok;
}

Result<Exit> ls(const Context& context, const LsOptions& options) {
  if (options.only_names || options.ecosystems) return list_names(context, options.ecosystems);
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(auto instances, client->instances(options.names));
  if (options.json) SVD_CHECK(client->measure(options.names, instances));
  if (options.json)
    context.out(json_lines(instances));
  else
    context.out(instance_table(instances, context.system.now(), context.style));
  if (instances.empty() && context.is_terminal)
    context.err("nothing here yet; 'svctl apply FILE' starts what a file declares\n");
  return Exit::ok;
}

}  // namespace

void add_ls(CLI::App& root, Context& context) {
  auto options = std::make_shared<LsOptions>();
  auto* command =
      root.add_subcommand("ls", "One line an instance: phase, pid, restarts, age, memory, CPU time, reason")
          ->group("Look");
  command->alias("list")->alias("ps");
  add_names(*command, options->names, false);
  add_json_flag(*command, options->json);
  command->add_flag("--names", options->only_names,
                    "Only the names of the apps; says nothing without a daemon");
  command->add_flag("--ecosystems", options->ecosystems, "Only the names of the ecosystems")->group("");
  command->footer("svctl ls web");
  command->callback([options, &context] { context.finish(ls(context, *options)); });
}

}  // namespace svd::cli
