// SPDX-License-Identifier: Apache-2.0
#include "spec/env_file.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

constexpr std::size_t most_problems = 10;

class Parser {
 public:
  explicit Parser(std::string_view rest) : rest_{rest} {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  EnvFile run() {
    while (!rest_.empty() && file_.problems.size() < most_problems) {
      skip_blanks();
      if (rest_.empty()) break;
      const auto line = line_;
      if (rest_.front() != '\n' && rest_.front() != '#') {
        if (const auto* problem = read_variable()) file_.problems.emplace_back(line, problem);
      }
      skip_line();
    }
    return std::move(file_);
  }

 private:
  // nullptr, or what is wrong.
  const char* read_variable() {
    if (rest_.starts_with("export ") || rest_.starts_with("export\t")) {
      rest_.remove_prefix(7);
      skip_blanks();
    }
    const auto end = std::min(rest_.find_first_of("=\n"), rest_.size());
    auto name = rest_.substr(0, end);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
    if (end == rest_.size() || rest_[end] != '=' || name.empty() ||
        name.find_first_of(" \t#'\"") != std::string_view::npos)
      return "want NAME=value";
    rest_.remove_prefix(end + 1);
    skip_blanks();
    auto value = read_value();
    if (!value) {
      rest_ = {};  // all that follows may have been meant to be in the quotes
      return "a quote that is never closed";
    }
    if (!only_comment_follows()) return "text after the closing quote";
    file_.variables.emplace_back(name, std::move(*value));
    return nullptr;
  }

  std::optional<std::string> read_value() {
    const char quote = rest_.empty() ? '\n' : rest_.front();
    if (quote != '\'' && quote != '"' && quote != '`') return read_bare();
    rest_.remove_prefix(1);
    std::string value;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == quote) {
        line_ += static_cast<std::uint32_t>(std::ranges::count(rest_.substr(0, i), '\n'));
        rest_.remove_prefix(i + 1);
        return value;
      }
      if (quote == '"' && c == '\\' && i + 1 < rest_.size())
        append_escape(value, rest_[++i]);
      else if (c != '\r' || !rest_.substr(i + 1).starts_with('\n'))
        value += c;
    }
    return std::nullopt;
  }

  static void append_escape(std::string& value, char c) {
    switch (c) {
      case 'n':
        value += '\n';
        break;
      case 'r':
        value += '\r';
        break;
      case 't':
        value += '\t';
        break;
      case '"':
      case '\\':
      case '$':
        value += c;
        break;
      default:  // no escape: both characters, as dotenv does
        value += '\\';
        value += c;
    }
  }

  std::string read_bare() {
    auto value = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '#' && (i == 0 || is_blank(value[i - 1]))) value = value.substr(0, i);
    }
    while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
    return std::string{value};
  }

  bool only_comment_follows() {
    skip_blanks();
    return rest_.empty() || rest_.front() == '\n' || rest_.front() == '#';
  }

  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r"), rest_.size())); }
  void skip_line() {
    rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    if (rest_.empty()) return;
    rest_.remove_prefix(1);
    ++line_;
  }

  std::string_view rest_;
  std::uint32_t line_ = 1;
  EnvFile file_;
};

std::uint32_t line_of(std::string_view content, std::size_t offset) {
  return static_cast<std::uint32_t>(std::ranges::count(content.substr(0, offset), '\n') + 1);
}

}  // namespace

EnvFile parse_env_file(std::string_view content) {
  if (content.size() > max_env_file) return {{}, {{1, "the file is larger than 1MiB"}}};
  if (const auto at = content.find('\0'); at != std::string_view::npos)
    return {{}, {{line_of(content, at), "a NUL byte"}}};
  if (const auto at = find_invalid_utf8(content); at != std::string_view::npos)
    return {{}, {{line_of(content, at), "not UTF-8"}}};
  return Parser{content}.run();
}

}  // namespace svd::spec
