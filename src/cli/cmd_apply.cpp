// SPDX-License-Identifier: Apache-2.0
// apply and plan: the two verbs that compare a file with what runs.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/json_views.h"
#include "cli/load.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct ApplyOptions {
  std::string file, profile;
  bool dry_run = false;
  FollowFlags follow;
};

Result<Exit> show_plan(const Context& context, Client& client, const Source& source, bool json) {
  SVD_TRY(const auto steps, client.plan(source));
  if (json)
    context.out(json_lines(steps));
  else if (steps.empty())
    context.out("nothing to do: what runs is what the file says\n");
  else
    context.out(plan_text(steps, context.style));
  return steps.empty() ? Exit::ok : Exit::changes;
}

// Without a daemon everything the file declares is still to be started, and the plan says so without starting
// one.
Result<Exit> show_plan_without_daemon(const Context& context, const Ecosystem& wanted, bool json) {
  std::vector<PlanStep> steps;
  for (const auto& [name, app] : wanted.apps)
    steps.push_back({PlanStep::Action::start,
                     {wanted.name, name},
                     app.instances,
                     "start " + count(app.instances, "instance"),
                     {"no daemon runs here yet"}});
  if (json)
    context.out(json_lines(steps));
  else if (steps.empty())
    context.out("nothing to do: the file declares no apps\n");
  else
    context.out(plan_text(steps, context.style));
  return steps.empty() ? Exit::ok : Exit::changes;
}

Result<Exit> plan(const Context& context, const std::string& file, const std::string& profile, bool json) {
  SVD_TRY(const auto loaded, load(context, file, profile));
  context.err(notes_text(loaded));
  if (!loaded.decoded) {
    context.err(diagnostics_text(loaded));
    return Exit::error;
  }
  const auto client = context.connect();
  if (!client && client.error().code == std::errc::connection_refused)
    return show_plan_without_daemon(context, *loaded.decoded, json);
  if (!client) return tl::make_unexpected(client.error());
  return show_plan(context, **client, loaded.source, json);
}

// What runs is declared by the file, and yet not all that the file declares runs.
Result<bool> complain_of_unwell(const Context& context, Client& client, const Ecosystem& wanted) {
  Names names;
  for (const auto& [name, app] : wanted.apps) names.push_back(AppId{wanted.name, name}.str());
  if (names.empty()) return false;
  SVD_TRY(const auto apps, client.apps(names));
  std::string text;
  for (const auto& app : apps)
    if (!is_healthy(app))
      text += "  " + app.id.str() + " is " + app.state + ": " + printable(app.reason) + "\n";
  if (text.empty()) return false;
  context.err("svctl: nothing to change, but not all that the file declares runs\n" + text);
  return true;
}

Result<Exit> apply(const Context& context, const ApplyOptions& options) {
  if (options.dry_run) return plan(context, options.file, options.profile, options.follow.json);
  SVD_TRY(const auto loaded, load(context, options.file, options.profile));
  context.err(notes_text(loaded));
  if (!loaded.decoded) {
    context.err(diagnostics_text(loaded));
    return Exit::error;
  }
  SVD_TRY(const auto client, context.connect_or_start());
  SVD_TRY(const auto begun, client->apply(loaded.source));
  if (begun.change == ChangeId{} && !options.follow.json) {
    SVD_TRY(const auto unwell, complain_of_unwell(context, *client, *loaded.decoded));
    if (unwell) return Exit::error;
  }
  return follow_change(
      context, *client, begun,
      {.flags = options.follow, .kind = "apply", .nothing = "what runs is what the file says", .plan = true});
}

}  // namespace

void add_apply(CLI::App& root, Context& context) {
  auto options = std::make_shared<ApplyOptions>();
  auto* command =
      root.add_subcommand("apply", "Make what runs what FILE says; starts the daemon if none runs")
          ->group("Files");
  add_file(*command, options->file);
  command->add_option("--profile", options->profile, "Merge this profile of the file over its apps")
      ->type_name("PROFILE");
  command->add_flag("--dry-run", options->dry_run,
                    "Show the plan and change nothing (the same as 'svctl plan')");
  add_follow_flags(*command, options->follow);
  command->footer("svctl apply ecosystem.yaml --profile production");
  command->callback([options, &context] { context.finish(apply(context, *options)); });
}

void add_plan(CLI::App& root, Context& context) {
  struct Options {
    std::string file, profile;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      root.add_subcommand("plan", "Show what 'apply' would do, and why; exit 2: there are changes")
          ->group("Files");
  add_file(*command, options->file);
  command->add_option("--profile", options->profile, "Merge this profile of the file over its apps")
      ->type_name("PROFILE");
  add_json_flag(*command, options->json);
  command->footer("svctl plan ecosystem.yaml");
  command->callback(
      [options, &context] { context.finish(plan(context, options->file, options->profile, options->json)); });
}

}  // namespace svd::cli
