// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/follow.h"
#include "cli/verbs.h"

namespace svd::cli {
namespace {

struct ScaleOptions {
  std::string name, instances;
  FollowFlags follow;
};

// "4" is absolute; "+2" and "-1" count from what is declared now.
struct Amount {
  char sign = 0;
  std::uint32_t number = 0;
};

Result<Amount> parse_amount(std::string_view text) {
  Amount amount;
  auto digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) {
    amount.sign = digits.front();
    digits.remove_prefix(1);
  }
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), amount.number);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() ||
      amount.number > max_instances)
    return fail(std::errc::argument_out_of_domain, "cannot scale to '" + printable(text) +
                                                       "': want a number from 0 to " +
                                                       std::to_string(max_instances) + ", or +N or -N");
  return amount;
}

Result<std::uint32_t> wanted_instances(Client& client, const std::string& name, Amount amount) {
  if (amount.sign == 0) return amount.number;
  SVD_TRY(const auto apps, client.apps({name}));
  if (apps.size() != 1)
    return fail(std::errc::argument_out_of_domain, "cannot scale '" + printable(name) + "': it names " +
                                                       count(apps.size(), "app") + ", not one");
  const auto now = apps.front().instances;
  if (amount.sign == '-' && amount.number > now)
    return fail(std::errc::argument_out_of_domain, "cannot scale '" + printable(name) + "' by -" +
                                                       std::to_string(amount.number) + ": it has " +
                                                       count(now, "instance"));
  return amount.sign == '+' ? now + amount.number : now - amount.number;
}

Result<Exit> scale(const Context& context, const ScaleOptions& options) {
  SVD_TRY(const auto amount, parse_amount(options.instances));
  SVD_TRY(const auto client, context.connect());
  SVD_TRY(const auto wanted, wanted_instances(*client, options.name, amount));
  SVD_TRY(const auto begun, client->scale(options.name, wanted));
  return follow_change(
      context, *client, begun,
      {.flags = options.follow,
       .kind = "scale",
       .nothing = printable(options.name) + " has " + count(wanted, "instance") + " already"});
}

}  // namespace

void add_scale(CLI::App& root, Context& context) {
  auto options = std::make_shared<ScaleOptions>();
  auto* command = root.add_subcommand("scale", "Change how many instances an app has, until the next apply")
                      ->group("Act");
  command->add_option("name", options->name, "The app")->required()->type_name("NAME");
  command->add_option("instances", options->instances, "How many: N, +N or -N; the highest slots go first")
      ->required()
      ->type_name("N");
  add_follow_flags(*command, options->follow);
  command->footer("svctl scale web +2");
  command->callback([options, &context] { context.finish(scale(context, *options)); });
}

}  // namespace svd::cli
