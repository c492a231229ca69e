// SPDX-License-Identifier: Apache-2.0
// start, stop, restart, reload and delete: the same shape, five times.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct Verb {
  Action action;
  const char* name;
  const char* description;
  const char* nothing;  // what it means that there is nothing to do
  const char* example;
};

constexpr Verb verbs[] = {
    {Action::start, "start", "Start what was stopped, or failed", "all of it runs already",
     "svctl start web"},
    {Action::stop, "stop", "Stop, and stay stopped until started again, also over a restart of the daemon",
     "all of it is stopped or stopping already", "svctl stop web/2"},
    {Action::restart, "restart", "Stop and start, instance by instance", "there are no instances to restart",
     "svctl restart all"},
    {Action::reload, "reload", "Replace the instances by new ones, as the app's `update` says, without a gap",
     "there are no instances to replace", "svctl reload web"},
    {Action::remove, "delete", "Stop apps and forget them until the next apply names them",
     "there are no such apps", "svctl delete shop:web"},
};

struct ActionOptions {
  Names names;
  FollowFlags follow;
};

Result<Exit> act(const Context& context, const Verb& verb, const ActionOptions& options) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto begun, client->act(verb.action, options.names));
  return follow_change(context, *client, begun,
                       {.flags = options.follow, .kind = verb.name, .nothing = verb.nothing});
}

}  // namespace

void add_actions(CLI::App& root, Context& context) {
  for (const auto& verb : verbs) {
    auto options = std::make_shared<ActionOptions>();
    auto* command = root.add_subcommand(verb.name, verb.description)->group("Act");
    if (verb.action == Action::remove) command->alias("del")->alias("rm");
    add_names(*command, options->names, true);
    add_follow_flags(*command, options->follow);
    command->footer(verb.example);
    command->callback([options, &verb, &context] { context.finish(act(context, verb, *options)); });
  }
}

}  // namespace svd::cli
