// SPDX-License-Identifier: Apache-2.0
// Log lines as `logs` and `run` show them: "web/0 | text", the prefix coloured by instance; or one JSON
// object a line.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/log_reader.h"
#include "cli/style.h"

namespace svd::cli {

// A log line made harmless for a terminal: like printable(), but tabs stay, and so do the colours (SGR,
// ECMA-48 8.3.117) that the app itself wrote, when `colour`; they end with the line.
[[nodiscard]] std::string safe_log_text(std::string_view text, bool colour);

struct LogPrinterOptions {
  std::vector<std::string> names;  // of the sources, in their order, as they are to be shown
  bool prefix = true;
  bool json = false;
  bool terminal = false;  // false: the app's bytes are passed on unchanged
  Style style{};
};

class LogPrinter {
 public:
  using Write = std::function<void(std::string_view)>;
  LogPrinter(LogPrinterOptions options, Write write);
  // One write for each line, so that lines of several writers do not mix.
  void print(const LogLine& line);
  // Ends a line that was left open.
  void finish();

 private:
  [[nodiscard]] std::string prefix_of(std::size_t source, bool note) const;
  void print_json(const LogLine& line);

  LogPrinterOptions options_;
  Write write_;
  std::size_t width_ = 0;
  bool open_ = false;  // the last line has no end yet
  std::size_t open_source_ = 0;
};

}  // namespace svd::cli
