// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command_line.h"
#include "cli/json_views.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct EventOptions {
  bool follow = false;
  std::uint64_t lines = 50;
  bool json = false;
};

// Prints records in order, each once: what is listed after a reconnect may be what a signal told before.
class EventPrinter {
 public:
  EventPrinter(const Context& context, bool json) : context_{context}, json_{json} {}
  void print(const EventRecord& record) {
    if (record.sequence <= last_) return;
    last_ = record.sequence;
    context_.out(json_ ? to_json(record) + "\n" : event_line(record, context_.style));
  }
  [[nodiscard]] std::uint64_t last() const { return last_; }

 private:
  const Context& context_;
  bool json_;
  std::uint64_t last_ = 0;
};

Result<Exit> follow_events(const Context& context, Client& client, EventPrinter& printer) {
  const int interrupts = context.system.interrupts();
  while (true) {
    const auto woken = client.wait({.descriptors = {interrupts}});
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
  EventPrinter printer{context, options.json};
  const auto skipped = records.size() > options.lines ? records.size() - options.lines : 0;
  for (auto i = skipped; i < records.size(); ++i) printer.print(records[i]);
  return options.follow ? follow_events(context, *client, printer) : Exit::ok;
}

}  // namespace

void add_events(CLI::App& root, Context& context) {
  auto options = std::make_shared<EventOptions>();
  auto* command =
      root.add_subcommand("events", "What happened: phases, changes, the daemon itself")->group("Look");
  command->add_flag("-f,--follow", options->follow, "Go on as things happen, until Ctrl-C");
  command->add_option("-n,--lines", options->lines, "How many of the past ones")
      ->type_name("N")
      ->capture_default_str();
  add_json_flag(*command, options->json);
  command->footer("svctl events -f");
  command->callback([options, &context] { context.finish(events(context, *options)); });
}

}  // namespace svd::cli
