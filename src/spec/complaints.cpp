// SPDX-License-Identifier: Apache-2.0
#include "spec/complaints.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

constexpr std::size_t longest_shown = 60;  // bytes of a key or value inside a message

// Cuts at a character, not inside one.
std::string shortened(std::string_view text) {
  if (text.size() <= longest_shown) return printable(text);
  auto end = longest_shown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return printable(text.substr(0, end)) + "…";
}

}  // namespace

std::string in_quotes(std::string_view value) { return "'" + shortened(value) + "'"; }

std::string Place::str() const {
  const std::string before = up == nullptr ? std::string{} : up->str();
  if (up == nullptr && key.empty()) return "";  // the file as a whole
  if (index != no_item) return before + "[" + std::to_string(index) + "]";
  const auto name = key.empty() ? "''" : shortened(key);
  return before.empty() ? name : before + "." + name;
}

std::uint32_t Complaints::characters_before(Mark mark) {
  if (line_starts_.empty()) {
    line_starts_.push_back(0);
    for (auto at = text_.find('\n'); at != std::string_view::npos; at = text_.find('\n', at + 1))
      line_starts_.push_back(at + 1);
  }
  if (mark.line == 0 || mark.line > line_starts_.size()) return 0;
  const auto start = line_starts_[mark.line - 1];
  const auto prefix = text_.substr(start, mark.column - 1U);
  const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  return static_cast<std::uint32_t>(std::ranges::count_if(prefix, is_first_byte));
}

void Complaints::add(Mark mark, std::string path, std::string text) {
  if (full() || !seen_.emplace(mark, text).second) return;
  const auto column = mark.line == 0 ? 0 : characters_before(mark) + 1;
  found_.push_back({mark.line, column, std::move(path), std::move(text)});
}

Diagnostics Complaints::take() {
  const auto place = [](const Diagnostic& d) { return std::tuple{d.line, d.column}; };
  std::ranges::stable_sort(found_, {}, place);
  if (found_.size() > max_diagnostics) {
    const auto rest = std::to_string(found_.size() - max_diagnostics);
    const bool more_were_dropped = full();
    found_.resize(max_diagnostics);
    found_.push_back(
        {0, 0, "", more_were_dropped ? "and at least " + rest + " more" : "and " + rest + " more"});
  }
  return std::move(found_);
}

}  // namespace svd::spec
