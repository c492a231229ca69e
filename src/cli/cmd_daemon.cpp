// SPDX-License-Identifier: Apache-2.0
// daemon status|start|stop|reexec: the daemon itself.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/json_views.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

Result<Exit> show(const Context& context, bool json) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto daemon, client->daemon());
  context.out(json ? to_json(daemon) + "\n" : daemon_text(daemon, context.system.now(), context.style));
  return Exit::ok;
}

// A daemon that ends closes the connection before or after it has answered; either is what was asked for.
bool went_away(const Error& error) { return error.code == std::errc::not_connected; }

Result<Exit> stop(const Context& context, bool force, bool no_wait) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto daemon, client->daemon());
  if (const auto done = client->shutdown(force); !done && !went_away(done.error()))
    return tl::make_unexpected(done.error());
  if (no_wait) {
    context.out("the daemon stops all apps and ends; not waiting for it\n");
    return Exit::ok;
  }
  const int interrupts = context.system.interrupts();
  while (true) {  // the connection lasts until the engine ends, after the last app
    const auto woken = client->wait({.descriptors = {interrupts}});
    if (woken && woken->kind != Happening::Kind::descriptor) continue;
    if (woken) {
      context.err("svctl: no longer waiting; the daemon goes on stopping\n");
      return Exit::interrupted;
    }
    if (!went_away(woken.error())) return tl::make_unexpected(woken.error());
    break;
  }
  constexpr std::chrono::seconds patience{10};
  if (!context.system.wait_for_exit(daemon.keeper_pid, context.system.steady() + patience))
    return fail(std::errc::timed_out, "the daemon's engine ended, but its keeper, pid " +
                                          std::to_string(daemon.keeper_pid) + ", is still there");
  context.out(
      "the daemon has stopped all apps and ended; the next 'svctl apply' or start of svd brings them back\n");
  return Exit::ok;
}

Result<Exit> reexec(const Context& context) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto before, client->daemon());
  if (const auto done = client->reexecute(); !done && !went_away(done.error()))
    return tl::make_unexpected(done.error());
  const auto deadline = context.system.steady() + reconnect_patience;
  while (true) {
    auto now = client->daemon();
    if (now && now->engine_starts != before.engine_starts) {
      context.out("the engine was restarted: pid " + std::to_string(before.engine_pid) + " → " +
                  std::to_string(now->engine_pid) + ", version " + safe_lines(now->version) +
                  "; no app was touched\n");
      return Exit::ok;
    }
    if (!now && !went_away(now.error())) return tl::make_unexpected(now.error());
    if (context.system.steady() >= deadline)
      return fail(std::errc::timed_out, "the engine was not restarted within 15s; see svd.log");
    if (now) {  // the old one still answers: until it hangs up
      const auto woken = client->wait({.until = deadline});
      if (woken || !went_away(woken.error())) continue;
    }
    SVD_CHECK(client->reconnect(deadline));
  }
}

Result<Exit> start(const Context& context) {
  SVD_TRY(const auto client, context.connect_or_start());
  SVD_TRY(const auto daemon, client->daemon());
  context.out("the daemon runs: pid " + std::to_string(daemon.keeper_pid) + ", " +
              safe_lines(daemon.address) + "; it brings back what was applied\n");
  return Exit::ok;
}

void add_stop(CLI::App& daemon, Context& context) {
  struct Options {
    bool force = false;
    bool no_wait = false;
  };
  auto options = std::make_shared<Options>();
  auto* command = daemon.add_subcommand(
      "stop", "Stop all apps in order and end the daemon; its next start brings them back");
  command->add_flag("--force", options->force, "Kill at once, without the stop signals and timeouts");
  command->add_flag("--no-wait", options->no_wait, "Return at once");
  command->footer("svctl daemon stop");
  command->callback([options, &context] { context.finish(stop(context, options->force, options->no_wait)); });
}

}  // namespace

void add_daemon(CLI::App& root, Context& context) {
  auto* group =
      root.add_subcommand("daemon", "The daemon itself: status, start, stop, reexec")->group("Daemon");
  group->require_subcommand(1);
  auto json = std::make_shared<bool>(false);
  auto* status =
      group->add_subcommand("status", "Pids, version, since when, addresses, what is not enforceable here");
  add_json_flag(*status, *json);
  status->footer("svctl daemon status");
  status->callback([json, &context] { context.finish(show(context, *json)); });
  auto* begin =
      group->add_subcommand("start", "Start the daemon where none runs, with what was applied before");
  begin->footer("svctl daemon start");
  begin->callback([&context] { context.finish(start(context)); });
  add_stop(*group, context);
  auto* again = group->add_subcommand(
      "reexec", "Start the engine anew, after an upgrade for example; no app is touched");
  again->footer("svctl daemon reexec");
  again->callback([&context] { context.finish(reexec(context)); });
  group->footer("svctl daemon status");
}

}  // namespace svd::cli
