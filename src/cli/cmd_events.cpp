// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command_line.h"
#include "cli/json_views.h"
#include "cli/parse_names.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct EventOptions {
  Names names;
  bool follow = false;
  std::uint64_t lines = 50;
  bool json = false;
};

// A part of "shop:web/0", whole words of it, or the subject itself: "web", "web/0", "shop:", "shop:web",
// "engine".
bool is_about(const EventRecord& record, const std::string& name) {
  if (name == "all" || record.subject == name) return true;
  const auto id = parse_slot_id(record.subject);
  if (!id) return false;
  const auto slot = std::to_string(id->slot);
  const auto app = id->app.app.str();
  return name == app || name == app + "/" + slot || name == id->app.str() ||
         name == id->app.ecosystem.str() + ":";
}

// Prints records in order, each once: what is listed after a reconnect may be what a signal told before.
class EventPrinter {
 public:
  EventPrinter(const Context& context, const EventOptions& options)
      : context_{context}, json_{options.json}, names_{options.names} {}
  [[nodiscard]] bool wants(const EventRecord& record) const {
    return names_.empty() ||
           std::ranges::any_of(names_, [&](const auto& name) { return is_about(record, name); });
  }
  void print(const EventRecord& record) {
    if (record.sequence <= last_) return;
    last_ = record.sequence;
    if (!wants(record)) return;
    context_.out(json_ ? to_json(record) + "\n" : event_line(record, context_.style));
  }
  [[nodiscard]] std::uint64_t last() const { return last_; }

 private:
  const Context& context_;
  bool json_;
  const Names& names_;
  std::uint64_t last_ = 0;
};

Result<Exit> follow_events(const Context& context, Client& client, EventPrinter& printer) {
  const auto endings = context.endings();
  while (true) {
    const auto woken = client.wait({.descriptors = endings});
    if (woken) {
      if (woken->kind == Happening::Kind::descriptor) return Exit::ok;  // the way to end it, no failure
      if (woken->kind == Happening::Kind::event) printer.print(woken->event);
      continue;
    }
    if (woken.error().code != std::errc::not_connected) return tl::make_unexpected(woken.error());
    SVD_CHECK(client.reconnect(context.system.steady() + reconnect_patience));
    SVD_TRY(const auto missed, client.events(printer.last(), 0));
    for (const auto& record : missed) printer.print(record);
  }
}

Result<Exit> events(const Context& context, const EventOptions& options) {
  SVD_TRY(const auto client, context.connect());
  if (options.follow)
    SVD_CHECK(client->subscribe(Topic::events));  // before the list, so that nothing falls between
  SVD_TRY(const auto records, client->events(0, 0));
  EventPrinter printer{context, options};
  auto skipped = static_cast<std::uint64_t>(
      std::ranges::count_if(records, [&](const auto& record) { return printer.wants(record); }));
  skipped -= std::min(skipped, options.lines);
  for (const auto& record : records)
    if (!printer.wants(record) || skipped == 0)
      printer.print(record);
    else
      --skipped;
  return options.follow ? follow_events(context, *client, printer) : Exit::ok;
}

}  // namespace

void add_events(CLI::App& root, Context& context) {
  auto options = std::make_shared<EventOptions>();
  auto* command =
      root.add_subcommand("events", "What happened: phases, changes, the daemon itself")->group("Look");
  command
      ->add_option("name", options->names,
                   "Only those of an app (web, shop:web), an instance (web/0), or shop:")
      ->type_name("NAME");
  command->add_flag("-f,--follow", options->follow,
                    "Go on as things happen, until Ctrl-C or until nobody reads it");
  command->add_option("-n,--lines", options->lines, "How many of the past ones")
      ->type_name("N")
      ->capture_default_str();
  add_json_flag(*command, options->json);
  command->footer("svctl events -f");
  command->callback([options, &context] { context.finish(events(context, *options)); });
}

}  // namespace svd::cli
