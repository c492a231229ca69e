// SPDX-License-Identifier: Apache-2.0
// `exec`: a list of arguments, or one text that is split into words. No shell runs it, so whoever writes what
// only a shell understands is told so, instead of finding an argument "|" in their program.
#include <algorithm>

#include "base/text.h"
#include "spec/forms.h"

namespace svd::spec {
namespace {

bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// What at text[i], not quoted, a shell would act upon; empty: nothing.
std::string_view shell_syntax_at(std::string_view text, std::size_t i, bool in_double_quotes) {
  const char c = text[i];
  const char next = i + 1 < text.size() ? text[i + 1] : '\0';
  if (c == '`') return text.substr(i, 1);
  if (c == '$' && (starts_name(next) || next == '(')) {
    auto end = i + 2;
    while (end < text.size() && (starts_name(text[end]) || (text[end] >= '0' && text[end] <= '9'))) ++end;
    return text.substr(i, end - i);
  }
  if (in_double_quotes) return {};
  if (c == '|' || c == '&') return text.substr(i, next == c ? 2 : 1);
  if (c == ';' || c == '<' || c == '>') return text.substr(i, c == '>' && next == '>' ? 2 : 1);
  const bool at_start = i == 0 || text[i - 1] == ' ' || text[i - 1] == '\n';
  if (at_start && c == '~' && (next == '/' || next == ' ' || next == '\0')) return text.substr(i, 1);
  return {};
}

// Walks the quotes exactly as split_words does.
std::string_view find_shell_syntax(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\'') {
      if (c == '\'') quote = 0;
    } else if (c == '\\' || text.substr(i).starts_with("$$")) {
      ++i;
    } else if (c == '"') {
      quote = quote == '"' ? '\0' : '"';
    } else if (c == '\'' && quote == 0) {
      quote = '\'';
    } else if (const auto found = shell_syntax_at(text, i, quote == '"'); !found.empty()) {
      return found;
    }
  }
  return {};
}

std::string advice_on(std::string_view syntax) {
  const std::string quote = "quote it, or use [sh, -c, \"…\"]";
  const bool is_name = syntax.size() > 1 && syntax[0] == '$' && starts_name(syntax[1]);
  return is_name ? "for its value write ${" + std::string{syntax.substr(1)} + "}; else " + quote : quote;
}

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  const auto in_name = [](char c) { return starts_name(c) || (c >= '0' && c <= '9'); };
  return equals != std::string_view::npos && equals > 0 && starts_name(word[0]) &&
         std::ranges::all_of(word.substr(0, equals), in_name);
}

std::optional<std::vector<std::string>> read_text(const Node& node, const Place& place, Reading& reading) {
  const auto complain = [&](std::string text) { reading.complaints.add(node.mark, place, std::move(text)); };
  auto words = split_words(node.text);
  if (!words) {
    complain("a quote is left open, or a backslash ends the text");
    return std::nullopt;
  }
  if (const auto syntax = find_shell_syntax(node.text); !syntax.empty()) {
    complain("no shell runs this, so " + in_quotes(syntax) +
             " would be an ordinary argument: " + advice_on(syntax));
    return std::nullopt;
  }
  if (!words->empty() && is_assignment(words->front())) {
    complain("no shell runs this, so " + in_quotes(words->front()) +
             " would be the program: put variables under 'env'");
    return std::nullopt;
  }
  return words;
}

std::optional<std::vector<std::string>> read_list(const Node& node, const Place& place, Reading& reading) {
  std::vector<std::string> words;
  bool good = true;
  for (std::size_t i = 0; i < node.entries.size(); ++i) {
    const auto& item = *node.entries[i].value;
    if (item.kind == Kind::scalar)
      words.push_back(item.text);
    else
      reading.refuse(item, Place{&place, "", i}, "a text, a number or a boolean");
    good = good && item.kind == Kind::scalar;
  }
  return good ? std::optional{std::move(words)} : std::nullopt;
}

}  // namespace

Form<std::vector<std::string>> command() {
  const std::string words = "a command: a text, or a list of the program and its arguments";
  auto read = [=](const Node& node, const Place& place,
                  Reading& reading) -> std::optional<std::vector<std::string>> {
    if (node.kind != Kind::sequence && !is_text(node)) {
      reading.refuse(node, place, words);
      return std::nullopt;
    }
    auto argv =
        node.kind == Kind::sequence ? read_list(node, place, reading) : read_text(node, place, reading);
    if (argv && (argv->empty() || argv->front().empty())) {
      reading.complaints.add(node.mark, place, "the command is empty");
      return std::nullopt;
    }
    return argv;
  };
  auto item = Json::object({{"type", Json::array({"string", "number", "boolean"})}});
  auto schema = Json::object({{"type", Json::array({"string", "array"})},
                              {"pattern", "\\S"},
                              {"minItems", std::int64_t{1}},
                              {"items", std::move(item)}});
  return {words, std::move(schema), read,
          [](const std::vector<std::string>& argv) { return show_words(argv); }};
}

std::string show_words(std::span<const std::string> words) {
  const auto safe = [](char c) {
    return starts_name(c) || (c >= '0' && c <= '9') ||
           std::string_view{"%+,-./:=@^"}.find(c) != std::string_view::npos;
  };
  std::string out;
  for (const auto& word : words) {
    if (!out.empty()) out += ' ';
    if (!word.empty() && std::ranges::all_of(word, safe)) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) out += c == '\'' ? std::string{"'\\''"} : std::string{c};
    out += '\'';
  }
  return out;
}

}  // namespace svd::spec
