// SPDX-License-Identifier: Apache-2.0
#include "ipc/node_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace svd::ipc {
namespace {

constexpr std::string_view variable = "NODE_OPTIONS=";
constexpr std::uint16_t default_port = 9229;

// These have a port as their value, or as a part of it; the first three begin to listen.
constexpr std::array<std::string_view, 5> inspector_flags{"--inspect", "--inspect-brk", "--inspect-wait",
                                                          "--inspect-port", "--debug-port"};
// These have a value of their own, which is not the program.
constexpr std::array<std::string_view, 10> flags_with_value{"-r",
                                                            "--require",
                                                            "--import",
                                                            "--loader",
                                                            "-C",
                                                            "--conditions",
                                                            "--env-file",
                                                            "--title",
                                                            "--experimental-loader",
                                                            "--icu-data-dir"};

bool is_one_of(std::string_view word, const auto& words) {
  return std::ranges::find(words, word) != words.end();
}

struct Flag {
  std::string_view name, value;
  bool has_value = false;
};

Flag split(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == word.npos) return {word, {}, false};
  return {word.substr(0, equals), word.substr(equals + 1), true};
}

// "9230", "host:9230", "[::1]:9230"; nullopt: a host alone.
std::optional<std::uint16_t> port_of(std::string_view value) {
  const auto colon = value.rfind(':');
  if (colon != value.npos && value.ends_with(']')) return std::nullopt;
  const auto digits = colon == value.npos ? value : value.substr(colon + 1);
  std::uint16_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || read.ec != std::errc{} || read.ptr != digits.data() + digits.size())
    return std::nullopt;
  return port;
}

// The words in front of the program that are Node's.
std::vector<std::string*> node_words(std::vector<std::string>& argv) {
  std::vector<std::string*> words;
  if (argv.empty()) return words;
  const auto program = argv.front().substr(argv.front().rfind('/') + 1);
  if (program != "node" && program != "nodejs") return words;
  bool is_value = false;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i] == "--" || (!argv[i].starts_with('-') && !is_value)) break;
    is_value = is_one_of(argv[i], flags_with_value);
    words.push_back(&argv[i]);
  }
  return words;
}

std::string* find_variable(std::vector<std::string>& envp) {
  const auto found =
      std::ranges::find_if(envp, [](const std::string& one) { return one.starts_with(variable); });
  return found == envp.end() ? nullptr : &*found;
}

bool names_port(const std::vector<std::string*>& words) {
  return std::ranges::any_of(words, [](const std::string* word) {
    const auto flag = split(*word);
    return is_one_of(flag.name, inspector_flags) && flag.has_value && port_of(flag.value);
  });
}

void move_one(std::string& word, bool port_is_named,
              const std::function<std::uint16_t(std::uint16_t)>& port) {
  const auto flag = split(word);
  if (!is_one_of(flag.name, inspector_flags)) return;
  const auto named = flag.has_value ? port_of(flag.value) : std::nullopt;
  std::string moved{flag.name};
  if (named && *named != 0) {
    const auto host = flag.value.find(':') == flag.value.npos
                          ? std::string_view{}
                          : flag.value.substr(0, flag.value.rfind(':') + 1);
    word = moved + "=" + std::string{host} + std::to_string(port(*named));
  } else if (!named && !port_is_named && flag.name != "--inspect-port" && flag.name != "--debug-port") {
    const auto host = flag.value.empty() ? std::string{} : std::string{flag.value} + ":";
    word = moved + "=" + host + std::to_string(port(default_port));
  }
}

}  // namespace

std::optional<std::vector<std::string>> split_options(std::string_view text) {
  std::vector<std::string> words;
  bool quoted = false, begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped = quoted && text[i] == '\\';
    if (escaped && ++i == text.size()) return std::nullopt;
    if (!escaped && text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == ' ') {
      begins = true;
    } else {
      if (std::exchange(begins, false)) words.emplace_back();
      words.back() += text[i];
    }
  }
  if (quoted) return std::nullopt;
  return words;
}

std::string join_options(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ' ';
    if (word.find_first_of(" \"\\") == word.npos) {
      text += word;
      continue;
    }
    text += '"';
    for (const char c : word) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text;
}

void add_preload(std::vector<std::string>& envp, const std::string& path) {
  const auto option = "--require=" + join_options({path});
  if (auto* const found = find_variable(envp))
    found->append(found->size() == variable.size() ? "" : " ").append(option);
  else
    envp.push_back(std::string{variable} + option);
}

void move_inspector(std::vector<std::string>& argv, std::vector<std::string>& envp,
                    const std::function<std::uint16_t(std::uint16_t)>& port) {
  auto* const options = find_variable(envp);
  auto from_variable = options == nullptr ? std::nullopt : split_options(options->substr(variable.size()));
  auto words = node_words(argv);
  if (from_variable)
    for (auto& word : *from_variable) words.push_back(&word);
  const bool port_is_named = names_port(words);
  const auto before = from_variable;
  for (auto* const word : words) move_one(*word, port_is_named, port);
  if (from_variable && from_variable != before)
    *options = std::string{variable} + join_options(*from_variable);
}

}  // namespace svd::ipc
