// SPDX-License-Identifier: Apache-2.0
#include "cli/log_printer.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/json.h"

namespace svd::cli {
namespace {

constexpr std::array prefix_colours{Paint::cyan, Paint::green, Paint::yellow, Paint::magenta, Paint::blue};

}  // namespace

std::string safe_log_text(std::string_view text, bool colour) {
  std::string out;
  bool coloured = false;
  while (!text.empty()) {
    const auto special = std::min(text.find_first_of("\t\x1b"), text.size());
    out += printable(text.substr(0, special));
    text.remove_prefix(special);
    if (text.empty()) break;
    const auto length = sgr_length(text);
    if (text.front() == '\t') {
      out += '\t';
    } else if (length == 0) {
      out += printable(text.substr(0, 1));
    } else if (colour) {
      out += text.substr(0, length);
      coloured = true;
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  if (coloured) out += "\x1b[0m";
  return out;
}

LogPrinter::LogPrinter(LogPrinterOptions options, Write write)
    : options_{std::move(options)}, write_{std::move(write)} {
  for (const auto& name : options_.names) width_ = std::max(width_, width_of(name));
}

std::string LogPrinter::prefix_of(std::size_t source, bool note) const {
  if (!options_.prefix) return note ? "svd: " : "";
  const auto& name = options_.names[source];
  const auto padded = name + std::string(width_ - width_of(name), ' ');
  return paint(options_.style, prefix_colours[source % prefix_colours.size()],
               padded + (note ? " svd: " : " | "));
}

void LogPrinter::print_json(const LogLine& line) {
  JsonWriter json;
  json.begin_object()
      .member("instance", options_.names[line.source])
      .member("when", line.when.value_or(WallTime{}));
  json.member(line.kind == LogLine::Kind::note ? "note" : "text", line.text);
  if (!line.complete) json.member("complete", false);
  write_(json.end_object().take() + "\n");
}

void LogPrinter::print(const LogLine& line) {
  if (options_.json) return print_json(line);
  const bool note = line.kind == LogLine::Kind::note;
  const bool continues = open_ && open_source_ == line.source && !note;
  std::string text;
  if (open_ && !continues) text = "\n";
  if (!continues) text += prefix_of(line.source, note);
  text +=
      options_.terminal || note ? safe_log_text(line.text, options_.style.colour) : std::string{line.text};
  open_ = !line.complete && !note;
  open_source_ = line.source;
  if (!open_) text += '\n';
  write_(text);
}

void LogPrinter::finish() {
  if (open_ && !options_.json) write_("\n");
  open_ = false;
}

}  // namespace svd::cli
