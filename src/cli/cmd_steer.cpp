// SPDX-License-Identifier: Apache-2.0
// pause, resume and abort: what is done with an update that runs.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct Verb {
  Steer what;
  const char* name;
  const char* description;
  const char* nothing;  // when no change follows from it
};

constexpr Verb verbs[] = {
    {Steer::pause, "pause", "Hold the update that runs in an app: no further step is taken",
     "its update is held; 'svctl resume' goes on, 'svctl abort' takes it back"},
    {Steer::resume, "resume", "Go on with a held update", "its update goes on"},
    {Steer::abort, "abort", "Take the update that runs back: what was replaced returns to the version before",
     "nothing of it was replaced yet"},
};

struct SteerOptions {
  std::string app;
  FollowFlags follow;
};

Result<Exit> steer(const Context& context, const Verb& verb, const SteerOptions& options) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto begun, client->steer(verb.what, options.app));
  const bool is_done = verb.what == Steer::pause;  // a held update does not end before it goes on
  if ((begun.change == ChangeId{} || is_done) && !options.follow.json) {
    context.out(printable(options.app) + ": " + verb.nothing + "\n");
    return Exit::ok;
  }
  auto flags = options.follow;
  flags.no_wait = flags.no_wait || is_done;
  return follow_change(
      context, *client, begun,
      {.flags = flags, .kind = verb.name, .nothing = verb.nothing, .aborts = verb.what == Steer::abort});
}

}  // namespace

void add_steer(CLI::App& root, Context& context) {
  for (const auto& verb : verbs) {
    auto options = std::make_shared<SteerOptions>();
    auto* command = root.add_subcommand(verb.name, verb.description)->group("Act");
    command->add_option("name", options->app, "The app")->required()->type_name("NAME");
    add_follow_flags(*command, options->follow);
    command->footer("svctl " + std::string{verb.name} + " web");
    command->callback([options, &verb, &context] { context.finish(steer(context, verb, *options)); });
  }
}

}  // namespace svd::cli
