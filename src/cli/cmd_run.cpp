// SPDX-License-Identifier: Apache-2.0
// run: a daemon of its own, in the foreground, for development: apply to an empty state, show all logs, stop
// everything at the end and leave nothing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <vector>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/load.h"
#include "cli/log_view.h"
#include "cli/parse_names.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct RunOptions {
  std::string file, profile;
};

// What is known of each instance: all have come to rest when none will start again by itself.
class Phases {
 public:
  void note(const std::string& instance, Phase phase) { phases_[instance] = phase; }
  [[nodiscard]] bool at_rest() const {
    return !phases_.empty() && std::ranges::all_of(phases_, [](const auto& entry) {
      return entry.second == Phase::completed || entry.second == Phase::failed ||
             entry.second == Phase::stopped;
    });
  }
  [[nodiscard]] bool any_failed() const {
    return std::ranges::any_of(phases_, [](const auto& entry) { return entry.second == Phase::failed; });
  }
  [[nodiscard]] bool is_failed(const std::string& instance) const {
    const auto found = phases_.find(instance);
    return found != phases_.end() && found->second == Phase::failed;
  }

 private:
  std::map<std::string, Phase> phases_;
};

// A crash is said when it happens, between the lines of the logs.
void tell(const Context& context, const std::string& instance, std::string_view phase,
          const std::string& reason) {
  const auto id = parse_slot_id(instance);
  const auto name = id ? short_name(*id, false) : safe_lines(instance);
  context.err("svctl: " + name + " " + safe_lines(phase) + ": " + safe_lines(reason) + "\n");
}

Result<> read_all(const Context& context, Client& client, Phases& phases, LogView& view) {
  SVD_TRY(const auto instances, client.instances({}));
  for (const auto& instance : instances) {
    const auto name = instance.id.str();
    if (instance.phase == Phase::failed && !phases.is_failed(name))
      tell(context, name, "failed", instance.reason);
    phases.note(name, instance.phase);
  }
  return view.follow(instances, true);
}

// Until all apps are at rest, Ctrl-C, the end of who reads or prints the logs, or the daemon's own end.
Result<Exit> watch_over(const Context& context, Client& client, const OwnDaemon& daemon,
                        const std::vector<int>& endings, LogView& view) {
  Phases phases;
  SVD_CHECK(read_all(context, client, phases, view));
  while (!phases.at_rest()) {
    auto descriptors = endings;
    descriptors.push_back(daemon.ended());
    std::ranges::copy(view.ended(), std::back_inserter(descriptors));
    const auto woken = client.wait({.descriptors = descriptors});
    if (!woken) {
      if (woken.error().code != std::errc::not_connected) return tl::make_unexpected(woken.error());
      SVD_CHECK(client.reconnect(context.system.steady() + reconnect_patience));
      SVD_CHECK(read_all(context, client, phases, view));
      continue;
    }
    if (woken->kind == Happening::Kind::descriptor) {
      if (woken->fd == daemon.ended())
        return fail(std::errc::io_error, "the daemon ended; see " + daemon.directories().log + "/svd.log");
      return Exit::interrupted;
    }
    if (woken->kind != Happening::Kind::instance) continue;
    const auto phase = parse_phase(woken->phase);
    if (!phase) continue;
    if (*phase == Phase::backoff || (*phase == Phase::failed && !phases.is_failed(woken->instance)))
      tell(context, woken->instance, woken->phase, woken->reason);
    phases.note(woken->instance, *phase);
    if (!view.follows(woken->instance)) SVD_CHECK(read_all(context, client, phases, view));
  }
  return phases.any_failed() ? Exit::error : Exit::ok;
}

// In order, within the apps' stop timeouts; another Ctrl-C takes the grace away.
void stop_everything(const Context& context, Client& client, OwnDaemon& daemon) {
  const int interrupts = context.system.interrupts();
  auto asked = client.shutdown(false);
  // Interrupted in asking: the next wait tells so at once, and it was asked.
  while (asked || asked.error().code == std::errc::interrupted) {
    const auto woken = client.wait({.descriptors = {daemon.ended(), interrupts}});
    if (!woken) break;  // the engine has hung up: it is about to end
    if (woken->kind != Happening::Kind::descriptor) continue;
    if (woken->fd == daemon.ended()) break;
    [[maybe_unused]] const int again = context.system.interrupts();
    asked = client.shutdown(true);
  }
  daemon.wait();
}

Result<Exit> run(const Context& context, const RunOptions& options) {
  SVD_TRY(const auto source, load_or_complain(context, options.file, options.profile));
  const auto endings = context.endings();
  SVD_TRY(const auto daemon, context.system.run_daemon());
  SVD_TRY(const auto client,
          context.system.connect({daemon->directories().address(), daemon->directories()}));
  SVD_CHECK(client->subscribe(Topic::instances));
  SVD_TRY(const auto begun, client->apply(source));
  if (begun.change == ChangeId{}) {
    context.out("nothing to run: the file asks for no instances\n");
    return Exit::ok;
  }
  auto outcome = Result<Exit>{Exit::ok};
  {
    LogView view{context, *client, {.finish = true}};
    outcome = watch_over(context, *client, *daemon, endings, view);
    if (!outcome && outcome.error().code == std::errc::interrupted) outcome = Exit::interrupted;
    if (outcome && *outcome == Exit::interrupted)
      context.err("svctl: stopping everything; Ctrl-C again kills it\n");
    // While the view lives, what the apps write on their way out is shown.
    stop_everything(context, *client, *daemon);
  }
  return outcome;
}

}  // namespace

void add_run(CLI::App& root, Context& context) {
  auto options = std::make_shared<RunOptions>();
  auto* command =
      root.add_subcommand(
              "run",
              "Run FILE alone, in the foreground, with all logs, until Ctrl-C or until all apps have ended")
          ->group("Files");
  add_file(*command, options->file);
  command->add_option("--profile", options->profile, "Merge this profile of the file over its apps")
      ->type_name("PROFILE");
  command->footer("svctl run ecosystem.yaml");
  command->callback([options, &context] { context.finish(run(context, *options)); });
}

}  // namespace svd::cli
