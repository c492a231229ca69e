// SPDX-License-Identifier: Apache-2.0
// Text on its way to a terminal or into JSON.
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/json.h"
#include "fuzz/fuzz.h"
#include "fuzz/shown.h"
#include "ipc/json.h"

using namespace svd;
using fuzz::require;

namespace {

void show(std::string_view bytes) {
  const auto shown = printable(bytes);
  require(shown.size() <= 4 * bytes.size());
  fuzz::require_shown(shown);
  require(printable(shown) == shown);
  fuzz::require_shown(safe_lines(bytes), "\n");
}

void write_json(std::string_view bytes) {
  cli::JsonWriter writer;
  writer.begin_object().member("text", bytes).end_object();
  const auto text = writer.take();
  fuzz::require_shown(text);
  const auto parsed = ipc::JsonView::parse(text);
  const auto value = parsed ? parsed->string("text") : std::nullopt;
  require(value.has_value());
  if (find_invalid_utf8(bytes) == std::string_view::npos) require(*value == bytes);
}

void read_words(std::string_view bytes) {
  if (const auto words = split_words(bytes))
    for (const auto& word : *words) require(word.size() <= bytes.size());
  if (const auto signal = parse_signal(bytes); signal && signal_name(*signal).starts_with("SIG"))
    require(parse_signal(signal_name(*signal)) == signal);
  const std::vector<std::string> known{"restart", "reload", std::string{bytes.substr(0, 20)}};
  static_cast<void>(nearest(bytes, known));
}

}  // namespace

FUZZ_TARGET(text) {
  show(bytes);
  write_json(bytes);
  read_words(bytes);
}
