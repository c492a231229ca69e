// SPDX-License-Identifier: Apache-2.0
// Which logs to show under which names; following them beside the bus, so that an instance that is born
// meanwhile is shown too.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/log_printer.h"

namespace svd::cli {

struct LogViewOptions {
  bool json = false;
  bool prefix = true;
  std::optional<std::uint64_t> lines{};  // of the past; none: all
  std::optional<WallTime> since{};
  bool finish = false;  // when the view ends, first what was written until then
};

// Where to read, and for the journal whose word counts there: asked of the daemon.
[[nodiscard]] std::vector<LogSource> sources_of(const Context& context, Client& client,
                                                const std::vector<InstanceView>& instances);

class LogView {
 public:
  LogView(const Context& context, Client& client, LogViewOptions options)
      : context_{context}, client_{client}, options_{options} {}

  // Everything there is, once.
  Result<> show(const std::vector<InstanceView>& instances);
  // Goes on in the background with those of `instances` that are not followed yet. `from_start`: all that
  // they ever wrote.
  Result<> follow(const std::vector<InstanceView>& instances, bool from_start);
  [[nodiscard]] bool follows(const std::string& instance) const { return followed_.contains(instance); }
  // For WaitFor: readable when what prints the logs in the background has ended, and said why.
  [[nodiscard]] std::vector<int> ended() const;
  // What has nothing to read: "logs of web/0 go to the console".
  [[nodiscard]] static std::string unreadable(const Context& context,
                                              const std::vector<InstanceView>& instances);

 private:
  [[nodiscard]] LogPrinter printer_for(const std::vector<InstanceView>& instances) const;
  [[nodiscard]] LogQuery query() const;

  const Context& context_;
  Client& client_;
  LogViewOptions options_;
  std::set<std::string> followed_;
  std::vector<std::unique_ptr<Helper>> helpers_;
};

}  // namespace svd::cli
