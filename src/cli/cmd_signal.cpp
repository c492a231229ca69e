// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct SignalOptions {
  std::string signal;
  Names names;
  bool main = false;
  bool group = false;
};

Result<Exit> send_signal(const Context& context, const SignalOptions& options) {
  const auto number = parse_signal(options.signal);
  if (!number)
    return fail(std::errc::argument_out_of_domain,
                "cannot send '" + printable(options.signal) +
                    "': no such signal; want a name or number such as SIGHUP, HUP or 1");
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto reached,
          client->signal(options.names, *number, options.group ? KillTarget::group : KillTarget::main));
  context.out(signal_name(*number) + " sent to " + count(reached, "instance") + "\n");
  return Exit::ok;
}

}  // namespace

void add_signal(CLI::App& root, Context& context) {
  auto options = std::make_shared<SignalOptions>();
  auto* command =
      root.add_subcommand("signal", "Send a signal; what it ends is restarted by its policy")->group("Act");
  command->alias("sendSignal");
  command->add_option("signal", options->signal, "Name or number: SIGHUP, HUP, 1")
      ->required()
      ->type_name("SIGNAL");
  add_names(*command, options->names, true);
  auto* main =
      command->add_flag("--main", options->main, "To the main process of each instance (the default)");
  command->add_flag("--group", options->group, "To every process of each instance")->excludes(main);
  command->footer("svctl signal HUP web");
  command->callback([options, &context] { context.finish(send_signal(context, *options)); });
}

}  // namespace svd::cli
