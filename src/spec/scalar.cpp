// SPDX-License-Identifier: Apache-2.0
#include "spec/scalar.h"

#include <charconv>

namespace svd::spec {
namespace {

std::size_t digits(std::string_view text, std::size_t from) {
  const auto end = text.find_first_not_of("0123456789", from);
  return (end == std::string_view::npos ? text.size() : end) - from;
}

// RFC 8259, section 6: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?
bool is_json_number(std::string_view text) {
  std::size_t i = text.starts_with('-') ? 1 : 0;
  const auto whole = digits(text, i);
  if (whole == 0 || (whole > 1 && text[i] == '0')) return false;
  i += whole;
  if (i < text.size() && text[i] == '.') {
    const auto fraction = digits(text, ++i);
    if (fraction == 0) return false;
    i += fraction;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const auto exponent = digits(text, i);
    if (exponent == 0) return false;
    i += exponent;
  }
  return i == text.size();
}

}  // namespace

bool is_number(const Node& node) {
  return node.kind == Kind::scalar && node.plain && is_json_number(node.text);
}

std::optional<std::int64_t> as_integer(const Node& node) {
  if (!is_number(node)) return std::nullopt;
  std::int64_t value = 0;
  const auto* end = node.text.data() + node.text.size();
  const auto parsed = std::from_chars(node.text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

std::optional<double> as_number(const Node& node) {
  if (!is_number(node)) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return value;
}

std::optional<bool> as_bool(const Node& node) {
  if (node.kind != Kind::scalar || !node.plain) return std::nullopt;
  if (node.text == "true") return true;
  if (node.text == "false") return false;
  return std::nullopt;
}

bool is_text(const Node& node) { return node.kind == Kind::scalar && !is_number(node) && !as_bool(node); }

std::string describe(const Node& node) {
  switch (node.kind) {
    case Kind::null:
      return "nothing";
    case Kind::sequence:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::scalar:
      break;
  }
  if (is_number(node)) return "the number " + in_quotes(node.text);
  if (as_bool(node)) return "the boolean " + node.text;
  return "the text " + in_quotes(node.text);
}

}  // namespace svd::spec
