// SPDX-License-Identifier: Apache-2.0
#include "cli/log_view.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/render.h"

namespace svd::cli {
namespace {

bool can_be_read(const InstanceView& instance) {
  return !instance.log.empty() && instance.log != "none" && instance.log != "console";
}

std::vector<InstanceView> readable(const std::vector<InstanceView>& instances) {
  std::vector<InstanceView> chosen;
  std::ranges::copy_if(instances, std::back_inserter(chosen), can_be_read);
  return chosen;
}

JournalTrust trust_of(const Context& context, Client& client, const AppId& id) {
  const auto daemon = client.daemon();
  const auto app = client.app(id);
  return context.system.journal_trust(app ? app->user : "", daemon ? daemon->keeper_pid : 0);
}

}  // namespace

std::vector<LogSource> sources_of(const Context& context, Client& client,
                                  const std::vector<InstanceView>& instances) {
  std::vector<LogSource> sources;
  std::map<AppId, JournalTrust> trust;
  for (const auto& instance : instances) {
    sources.push_back({instance.id.str(), instance.log});
    if (!instance.log.starts_with("journal:") || !context.system.journal_trust) continue;
    const auto [known, fresh] = trust.try_emplace(instance.id.app);
    if (fresh) known->second = trust_of(context, client, instance.id.app);
    sources.back().trust = known->second;
  }
  return sources;
}

LogPrinter LogView::printer_for(const std::vector<InstanceView>& instances) const {
  LogPrinterOptions options;
  const bool qualified = options_.json || has_several_ecosystems(instances);
  for (const auto& instance : instances) options.names.push_back(short_name(instance.id, qualified));
  options.prefix = options_.prefix;
  options.json = options_.json;
  options.terminal = context_.is_terminal;
  options.style = context_.style;
  return {std::move(options), [this](std::string_view text) { context_.pass_on(text); }};
}

LogQuery LogView::query() const {
  LogQuery query;
  query.lines = options_.lines;
  query.each = true;  // files without times have no common order: a chatty instance would hide the others
  query.since = options_.since;
  query.finish = options_.finish;
  return query;
}

Result<> LogView::show(const std::vector<InstanceView>& instances) {
  const auto chosen = readable(instances);
  auto printer = printer_for(chosen);
  const auto read =
      context_.system.read_logs(sources_of(context_, client_, chosen), query(), [&](const LogLine& line) {
        printer.print(line);
        return true;
      });
  printer.finish();
  return read;
}

Result<> LogView::follow(const std::vector<InstanceView>& instances, bool from_start) {
  std::vector<InstanceView> fresh;
  for (const auto& instance : readable(instances))
    if (followed_.insert(instance.id.str()).second) fresh.push_back(instance);
  if (fresh.empty()) return {};
  auto wanted = query();
  wanted.follow = true;
  if (from_start) wanted.lines = std::nullopt;
  // A process of its own reads and prints them, since reading blocks, and so does waiting for the daemon.
  const auto sources = sources_of(context_, client_, fresh);  // not there: the connection is ours
  SVD_TRY(auto helper, context_.system.in_background([this, fresh, sources, wanted](int stop) mutable {
    wanted.stop = stop;
    auto printer = printer_for(fresh);
    const auto read = context_.system.read_logs(sources, wanted, [&](const LogLine& line) {
      printer.print(line);
      return true;
    });
    printer.finish();
    if (!read) context_.err("svctl: " + safe_lines(read.error().text) + "\n");
  }));
  helpers_.push_back(std::move(helper));
  return {};
}

std::vector<int> LogView::ended() const {
  std::vector<int> descriptors;
  for (const auto& helper : helpers_)
    if (const int fd = helper->ended(); fd >= 0) descriptors.push_back(fd);
  return descriptors;
}

std::string LogView::unreadable(const Context& context, const std::vector<InstanceView>& instances) {
  std::string text;
  for (const auto& instance : instances) {
    const auto name = instance.id.str();
    if (instance.pid != 0 && instance.log.starts_with('/') && !context.system.exists(instance.log))
      text += "svctl: there is no log file of " + name + " at " + printable(instance.log) +
              ": if it was removed, what " + name + " writes is lost until 'svctl restart " + name + "'\n";
    if (instance.log == "none" || instance.log == "console")
      text += "svctl: nothing to read of " + name + ": its logs go to " +
              (instance.log == "none" ? "nowhere (logs.to: none)"
                                      : "the console of the daemon (logs.to: console)") +
              "\n";
  }
  return text;
}

}  // namespace svd::cli
