// SPDX-License-Identifier: Apache-2.0
// start, stop, restart, reload and delete: the same shape, five times.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "base/text.h"
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

bool ends_with_one_of(const std::string& name, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
}

// Somebody else's tool takes files here. An app's name may look like one, so this is asked only after the
// daemon knows none of that name. "": nothing to add.
std::string advice_on_file(const Context& context, const Verb& verb, const std::string& name) {
  if (ends_with_one_of(name, {".yaml", ".yml"}))
    return ": it wants names of apps; a file is applied: 'svctl apply " + name + "'" +
           (verb.action == Action::reload ? ", and 'svctl reload all' replaces what did not change" : "");
  const bool is_program =
      ends_with_one_of(name, {".js", ".cjs", ".mjs", ".ts", ".py", ".rb", ".php", ".sh", ".pl"});
  if (verb.action != Action::start || (!is_program && !context.system.exists(name))) return "";
  const auto slash = name.rfind('/') == name.npos ? 0 : name.rfind('/') + 1;
  const auto stem = name.substr(slash, name.find('.', slash) - slash);
  const auto runner = ends_with_one_of(name, {"js", "ts"}) ? "node, "
                      : name.ends_with(".py")              ? "python3, "
                                                           : "";
  return ": it starts what a file declares. Put this into ecosystem.yaml, and 'svctl apply' runs it:\n"
         "  apps:\n    " +
         stem + ": { exec: [" + runner + name + "] }";
}

Result<Begun> begin(const Context& context, Client& client, const Verb& verb, const Names& names) {
  auto begun = client.act(verb.action, names);
  if (begun || begun.error().code != std::errc::no_such_process) return begun;
  for (const auto& name : names)
    if (const auto advice = advice_on_file(context, verb, printable(name)); !advice.empty())
      return fail(std::errc::no_such_process,
                  "'svctl " + std::string{verb.name} + " " + printable(name) + "'" + advice);
  return begun;
}

// Why nothing was to be started: an app may want no instances.
Result<std::string> nothing_to_start(Client& client, const Names& names, std::string otherwise) {
  SVD_TRY(const auto apps, client.apps(names));
  for (const auto& app : apps)
    if (app.instances == 0)
      return app.id.str() + " has 'instances: 0': 'svctl scale " + app.id.str() + " 1' starts one";
  return otherwise;
}

Result<Exit> act(const Context& context, const Verb& verb, const ActionOptions& options) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto begun, begin(context, *client, verb, options.names));
  std::string nothing = verb.nothing;
  if (verb.action == Action::start && begun.change == ChangeId{}) {
    SVD_TRY(nothing, nothing_to_start(*client, options.names, std::move(nothing)));
  }
  return follow_change(context, *client, begun,
                       {.flags = options.follow, .kind = verb.name, .nothing = nothing});
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
