// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>

#include "base/text.h"
#include "base/units.h"
#include "cli/command_line.h"
#include "cli/log_view.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct LogsOptions {
  Names names;
  bool follow = false;
  std::uint64_t lines = 50;
  bool all = false;
  std::string since;
  bool json = false;
};

// "10m" ago, or a point in time that a log line could begin with: "2026-01-31T12:00:00Z", "2026-01-31 12:00".
Result<WallTime> parse_since(const std::string& text, WallTime now) {
  if (const auto ago = parse_duration(text)) return WallTime{now.micros - ago->count() * 1000};
  if (const auto when = leading_time(text)) return *when;
  return fail(std::errc::argument_out_of_domain,
              "cannot use --since '" + printable(text) +
                  "': want how long ago (10m, 2h) or a time (2026-01-31T12:00:00Z)");
}

// Until Ctrl-C, or until nobody reads. Instances that are born meanwhile join; when the daemon goes away,
// what is known is followed on.
Result<Exit> follow_logs(const Context& context, Client& client, const LogsOptions& options, LogView& view) {
  const auto endings = context.endings();
  while (true) {
    auto descriptors = endings;
    std::ranges::copy(view.ended(), std::back_inserter(descriptors));
    const auto woken = client.wait({.descriptors = descriptors});
    if (!woken) {
      if (woken.error().code != std::errc::not_connected) return tl::make_unexpected(woken.error());
      SVD_CHECK(client.reconnect(context.system.steady() + reconnect_patience));
    } else if (woken->kind == Happening::Kind::descriptor) {
      return std::ranges::find(endings, woken->fd) != endings.end() ? Exit::ok : Exit::error;
    } else if (woken->kind != Happening::Kind::instance || view.follows(woken->instance)) {
      continue;
    }
    const auto instances = client.instances(options.names);
    if (instances) SVD_CHECK(view.follow(*instances, true));
  }
}

Result<Exit> logs(const Context& context, const LogsOptions& options) {
  LogViewOptions how;
  how.json = options.json;
  if (!options.since.empty()) {
    SVD_TRY(how.since, parse_since(options.since, context.system.now()));
  } else if (!options.all) {
    how.lines = options.lines;
  }
  SVD_TRY(const auto client, context.connect());
  if (options.follow) SVD_CHECK(client->subscribe(Topic::instances));
  SVD_TRY(const auto instances, client->instances(options.names));
  how.prefix = instances.size() > 1 || options.names.size() != 1 ||
               options.names.front().find('/') == std::string::npos;
  context.err(LogView::unreadable(context, instances));
  LogView view{context, *client, how};
  if (!options.follow) {
    SVD_CHECK(view.show(instances));
    return Exit::ok;
  }
  SVD_CHECK(view.follow(instances, false));
  return follow_logs(context, *client, options, view);
}

}  // namespace

void add_logs(CLI::App& root, Context& context) {
  auto options = std::make_shared<LogsOptions>();
  auto* command =
      root.add_subcommand("logs", "What the instances wrote, merged in the order of time")->group("Look");
  add_names(*command, options->names, false);
  command->add_flag("-f,--follow", options->follow,
                    "Go on as lines are written, until Ctrl-C or until nobody reads them");
  auto* lines = command->add_option("-n,--lines", options->lines, "The last N lines of each log")
                    ->type_name("N")
                    ->capture_default_str();
  command->add_flag("-a,--all", options->all, "Everything that is kept")->excludes(lines);
  command
      ->add_option("--since", options->since,
                   "Not what is older: 10m, 2h, or a time such as 2026-01-31T12:00:00Z")
      ->type_name("TIME");
  add_json_flag(*command, options->json);
  command->footer("svctl logs web -f --since 10m");
  command->callback([options, &context] { context.finish(logs(context, *options)); });
}

}  // namespace svd::cli
