// SPDX-License-Identifier: Apache-2.0
// history and rollback: revisions of an ecosystem.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/json_views.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct RollbackOptions {
  std::vector<std::string> what;  // [ECOSYSTEM] [REV]
  FollowFlags follow;
};

std::optional<std::uint64_t> parse_revision(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

struct Target {
  std::string ecosystem;
  std::uint64_t revision = 0;  // 0: the one before the current
};

Result<Target> resolve(const std::vector<std::string>& what, const std::set<std::string>& ecosystems) {
  Target target;
  auto words = what;
  // A lone number is a revision, unless an ecosystem has that name.
  if (!words.empty() && parse_revision(words.back()) &&
      (words.size() == 2 || !ecosystems.contains(words.back()))) {
    target.revision = *parse_revision(words.back());
    words.pop_back();
  }
  if (words.size() == 2)
    return fail(std::errc::argument_out_of_domain,
                "cannot roll back to '" + printable(words.back()) + "': want a revision's number");
  if (words.size() == 1) {
    target.ecosystem = words.front();
    return target;
  }
  if (ecosystems.empty())
    return fail(std::errc::no_such_process, "cannot roll back: nothing was ever applied here");
  if (ecosystems.size() > 1) {
    std::string known;
    for (const auto& name : ecosystems) known += (known.empty() ? "" : ", ") + name;
    return fail(std::errc::argument_out_of_domain,
                "cannot roll back without a name, since there are several ecosystems: " + known);
  }
  target.ecosystem = *ecosystems.begin();
  return target;
}

using Revisions = std::set<std::uint64_t>;

// What the apps of each ecosystem run. After an automatic rollback that is not the one that was accepted
// last, which is the current one on the bus; an app that this one did not change has its number, and yet runs
// nothing of it.
Result<std::map<Name, Revisions>> running_revisions(Client& client,
                                                    const std::vector<RevisionView>& revisions) {
  SVD_TRY(const auto apps, client.apps({}));
  SVD_TRY(const auto instances, client.instances({}));
  std::map<Name, Revisions> running, started;
  std::set<AppId> updating;  // or an update of it has stopped
  for (const auto& app : apps) {
    if (app.update.empty())
      running[app.id.ecosystem].insert(app.revision);
    else
      updating.insert(app.id);
  }
  for (const auto& one : instances) {
    started[one.id.app.ecosystem].insert(one.revision);
    if (updating.contains(one.id.app)) running[one.id.app.ecosystem].insert(one.revision);
  }
  for (const auto& view : revisions) {
    auto& its = running[view.ecosystem];
    if (view.current && its.size() > 1 && !started[view.ecosystem].contains(view.number))
      its.erase(view.number);
  }
  return running;
}

void mark(std::vector<RevisionView>& revisions, const std::map<Name, Revisions>& running) {
  for (auto& view : revisions)
    if (const auto found = running.find(view.ecosystem); found != running.end() && !found->second.empty())
      view.current = found->second.contains(view.number);
}

// "revision 3 is what runs"; of the target 0: the one before was asked for.
std::string what_runs(Client& client, const Target& target, const std::vector<RevisionView>& revisions) {
  Revisions found;
  if (target.revision != 0) found.insert(target.revision);
  if (const auto running = running_revisions(client, revisions); running && found.empty())
    for (const auto& [ecosystem, its] : *running)
      if (ecosystem.str() == target.ecosystem) found = its;
  if (found.size() != 1) return "that revision is what runs";
  return "revision " + std::to_string(*found.begin()) + " is what runs";
}

Result<Exit> history(const Context& context, const std::string& ecosystem, bool json) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(auto revisions, client->history(ecosystem));
  if (json) {
    context.out(json_lines(revisions));
    return Exit::ok;
  }
  SVD_TRY(const auto running, running_revisions(*client, revisions));
  mark(revisions, running);
  context.out(history_table(revisions, context.system.now(), context.style));
  return Exit::ok;
}

Result<Exit> rollback(const Context& context, const RollbackOptions& options) {
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto revisions, client->history(""));
  std::set<std::string> ecosystems;
  for (const auto& revision : revisions) ecosystems.insert(revision.ecosystem.str());
  SVD_TRY(const auto target, resolve(options.what, ecosystems));
  SVD_TRY(const auto begun, client->rollback(target.ecosystem, target.revision));
  std::string nothing;
  if (begun.change == ChangeId{}) nothing = what_runs(*client, target, revisions);
  return follow_change(context, *client, begun,
                       {.flags = options.follow, .kind = "rollback", .nothing = nothing, .plan = true});
}

}  // namespace

void add_history(CLI::App& root, Context& context) {
  struct Options {
    std::string ecosystem;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      root.add_subcommand("history", "Revisions: when, by whom, with which outcome")->group("Look");
  command->add_option("ecosystem", options->ecosystem, "Only this ecosystem")->type_name("ECOSYSTEM");
  add_json_flag(*command, options->json);
  command->footer("svctl history shop");
  command->callback(
      [options, &context] { context.finish(history(context, options->ecosystem, options->json)); });
}

void add_rollback(CLI::App& root, Context& context) {
  auto options = std::make_shared<RollbackOptions>();
  auto* command =
      root.add_subcommand("rollback", "Go back to an earlier revision; it becomes a new one")->group("Act");
  command
      ->add_option("what", options->what,
                   "[ECOSYSTEM] [REVISION]: the name may be left out when there is one; without a revision, "
                   "the one before")
      ->expected(0, 2)
      ->type_name("ECOSYSTEM");
  add_follow_flags(*command, options->follow);
  command->footer("svctl rollback shop 3");
  command->callback([options, &context] { context.finish(rollback(context, *options)); });
}

}  // namespace svd::cli
