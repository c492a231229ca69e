// SPDX-License-Identifier: Apache-2.0
// send and messages: the channels of the instances, from outside.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/parse_names.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

constexpr std::size_t longest_message = 8U << 20;  // what a channel takes

struct SendOptions {
  std::string name, message;
};

Result<Exit> send(const Context& context, const SendOptions& options) {
  auto message = options.message;
  if (message == "-") {
    SVD_TRY(message, context.system.read_file("-", longest_message));
  }
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto reached, client->send({options.name}, message));
  context.out("sent to " + count(reached, "instance") + "\n");
  return Exit::ok;
}

struct MessagesOptions {
  Names names;
  bool follow = false;  // for who expects it: there is no other way
  std::uint64_t count = 0;
  bool json = false;
};

// Whose messages are wanted. An app of which all instances were named stands for those that it will have,
// too.
class Senders {
 public:
  static Result<Senders> of(Client& client, const Names& names) {
    Senders wanted;
    wanted.everybody_ = names.empty();
    if (names.empty()) return wanted;
    SVD_TRY(const auto apps, client.apps(names));
    SVD_TRY(const auto instances, client.instances(names));
    std::map<AppId, std::set<std::uint32_t>> slots;
    for (const auto& view : instances) slots[view.id.app].insert(view.id.slot);
    for (const auto& app : apps) {
      if (slots[app.id].size() >= app.instances) wanted.apps_.insert(app.id);
      for (const auto slot : slots[app.id]) wanted.slots_.insert({app.id, slot});
    }
    return wanted;
  }
  [[nodiscard]] bool include(const std::string& from) const {
    if (everybody_) return true;
    const auto id = parse_slot_id(from);
    return id && (slots_.contains(*id) || apps_.contains(id->app));
  }

 private:
  bool everybody_ = false;
  std::set<AppId> apps_;
  std::set<SlotId> slots_;
};

void print(const Context& context, const Happening& message, bool json) {
  const auto now = context.system.now();
  if (!json) return context.out(message_line(now, message.instance, message.text, context.style));
  JsonWriter line;
  line.begin_object().member("when", now).member("from", message.instance).key("message").json(message.text);
  context.out(line.end_object().take() + "\n");
}

Result<Exit> messages(const Context& context, const MessagesOptions& options) {
  SVD_TRY(const auto client, context.connect());
  SVD_CHECK(client->subscribe(Topic::messages));
  SVD_TRY(const auto wanted, Senders::of(*client, options.names));
  const auto endings = context.endings();
  for (std::uint64_t shown = 0; options.count == 0 || shown < options.count;) {
    const auto woken = client->wait({.descriptors = endings});
    if (!woken) {
      if (woken.error().code != std::errc::not_connected) return tl::make_unexpected(woken.error());
      context.err("svctl: the connection was lost; messages may be missing here\n");
      SVD_CHECK(client->reconnect(context.system.steady() + reconnect_patience));
      continue;
    }
    if (woken->kind == Happening::Kind::descriptor) break;  // the way to end it, no failure
    if (woken->kind != Happening::Kind::message || !wanted.include(woken->instance)) continue;
    print(context, *woken, options.json);
    ++shown;
  }
  return Exit::ok;
}

}  // namespace

void add_send(CLI::App& root, Context& context) {
  auto options = std::make_shared<SendOptions>();
  auto* command =
      root.add_subcommand("send", "Send one JSON value to the programs of instances, over their channel")
          ->group("Act");
  command
      ->add_option(
          "name", options->name,
          "An app (web), an instance (web/0), shop:web; or shop:, all, /regex/: those that have a channel")
      ->required()
      ->type_name("NAME");
  command->add_option("message", options->message, "A JSON value; '-' reads it from standard input")
      ->required()
      ->type_name("JSON");
  command->footer("svctl send web/0 '{\"type\":\"flush\"}'");
  command->callback([options, &context] { context.finish(send(context, *options)); });
}

void add_messages(CLI::App& root, Context& context) {
  auto options = std::make_shared<MessagesOptions>();
  auto* command =
      root.add_subcommand("messages",
                          "What programs say on their channels to nobody in particular, as it comes")
          ->group("Look");
  add_names(*command, options->names, false);
  command->add_flag("-f,--follow", options->follow, "Until Ctrl-C, as without it: nobody keeps messages");
  command->add_option("-n,--count", options->count, "End after so many")->type_name("N");
  add_json_flag(*command, options->json);
  command->footer("svctl messages web");
  command->callback([options, &context] { context.finish(messages(context, *options)); });
}

}  // namespace svd::cli
