// SPDX-License-Identifier: Apache-2.0
// status: what is wrong and why.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/json_views.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct StatusOptions {
  Names names;
  std::uint64_t lines = 10;
  bool json = false;
};

constexpr std::size_t most_tails = 3;

// Instances whose log may say what is wrong; when nothing is wrong, the first one.
std::vector<const InstanceView*> worth_reading(const std::vector<InstanceView>& instances) {
  std::vector<const InstanceView*> chosen;
  for (const auto& instance : instances)
    if ((instance.phase == Phase::failed || instance.phase == Phase::backoff) && chosen.size() < most_tails)
      chosen.push_back(&instance);
  if (chosen.empty() && !instances.empty()) chosen.push_back(&instances.front());
  return chosen;
}

Result<Exit> status_of_daemon(const Context& context, Client& client, bool json) {
  SVD_TRY(const auto daemon, client.daemon());
  SVD_TRY(const auto apps, client.apps({}));
  if (json) {
    context.out("{\"daemon\":" + to_json(daemon) + ",\"apps\":" + json_lines(apps));
    context.out("}\n");
  } else {
    context.out(summary_text(daemon, apps, context.system.now(), context.style));
    if (!apps.empty()) context.out("\n" + app_table(apps, context.style));
  }
  return std::ranges::all_of(apps, is_healthy) ? Exit::ok : Exit::unhealthy;
}

Result<Exit> status(const Context& context, const StatusOptions& options) {
  SVD_TRY(const auto client, context.connect());
  if (options.names.empty()) return status_of_daemon(context, *client, options.json);
  SVD_TRY(const auto named, client->apps(options.names));
  auto exit = Exit::ok;
  bool first = true;
  for (const auto& app : named) {
    AppStatus shown;
    SVD_TRY(shown.app, client->app(app.id));
    SVD_TRY(shown.instances, client->instances({app.id.str()}));
    if (!is_healthy(shown.app)) exit = Exit::unhealthy;
    if (options.json) {
      SVD_CHECK(client->measure({app.id.str()}, shown.instances));
      context.out("{\"app\":" + to_json(shown.app) + ",\"instances\":" + json_lines(shown.instances) + "}\n");
      continue;
    }
    if (options.lines > 0)
      for (const auto* instance : worth_reading(shown.instances))
        shown.tails.push_back(tail_of(context, *client, *instance, options.lines));
    context.out((first ? "" : "\n") + status_text(shown, context.system.now(), context.style));
    first = false;
  }
  return exit;
}

}  // namespace

void add_status(CLI::App& root, Context& context) {
  auto options = std::make_shared<StatusOptions>();
  auto* command =
      root.add_subcommand("status", "What is wrong and why; of an app: settings, instances, last log lines")
          ->group("Look");
  command->alias("describe")->alias("show");
  add_names(*command, options->names, false);
  command->add_option("-n,--lines", options->lines, "How many log lines of an instance to show")
      ->type_name("N")
      ->capture_default_str();
  add_json_flag(*command, options->json);
  command->footer("svctl status web");
  command->callback([options, &context] { context.finish(status(context, *options)); });
}

}  // namespace svd::cli
