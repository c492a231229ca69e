// SPDX-License-Identifier: Apache-2.0
// How values are written: a Form knows how to read one kind of value, how to show it, how to call it and how
// JSON Schema says it. The field table (fields.cpp) is made of these.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/app_spec.h"
#include "spec/document.h"
#include "spec/json.h"
#include "spec/scalar.h"

namespace svd::spec {

// What reading a value may look at, and where it complains.
struct Reading {
  Complaints& complaints;
  const Source& source;
  // The app whose env, env_file and pass_env are read already; nullptr while there is none.
  const AppSpec* app = nullptr;

  // A scalar with ${NAME} replaced by what is the same for all instances: env, env_file and pass_env. For
  // messages the node as it is has to be taken: a value may be secret. nullopt: complained, or there is no
  // app to ask.
  std::optional<Node> expanded(const Node& node, const Place& place);

  // "want a size; got the number '64'"; `hint` starts with its own punctuation.
  void refuse(const Node& node, const Place& place, std::string_view words, std::string_view hint = "");
};

template <class T>
struct Form {
  using Value = T;
  std::string words;  // "a duration, 0s to 1d": for messages and for the manual
  Json schema;        // draft-07, without the null that every field accepts
  std::function<std::optional<T>(const Node&, const Place&, Reading&)> read;  // nullopt: complained
  std::function<std::string(const T&)> show;  // as it could be written; empty: unset
};

// Name::parse, for the schema.
inline constexpr const char* name_pattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$";

// ": remove the quotes" for a quoted number.
[[nodiscard]] std::string_view quote_hint(const Node& node);

template <class T>
Form<T> integer(std::int64_t least, std::int64_t most) {
  auto words = "a whole number, " + std::to_string(least) + " to " + std::to_string(most);
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<T> {
    const auto value = as_integer(node);
    if (value && *value >= least && *value <= most) return static_cast<T>(*value);
    reading.refuse(node, place, words, quote_hint(node));
    return std::nullopt;
  };
  return {words, Json::object({{"type", "integer"}, {"minimum", least}, {"maximum", most}}), read,
          [](const T& value) { return std::to_string(value); }};
}

// The first name of a value that is in the list twice is the one that is shown.
template <class E>
Form<E> choice(std::vector<std::pair<std::string_view, E>> names) {
  std::string words = "one of";
  Json all = Json::array({});
  for (const auto& [name, value] : names) {
    words += (words.size() == 6 ? " " : ", ") + std::string{name};
    all.push(name);
  }
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<E> {
    for (const auto& [name, value] : names)
      if (node.kind == Kind::scalar && node.text == name) return value;
    reading.refuse(node, place, words);
    return std::nullopt;
  };
  auto show = [=](const E& wanted) {
    for (const auto& [name, value] : names)
      if (value == wanted) return std::string{name};
    return std::string{};
  };
  return {words, Json::object({{"type", "string"}, {"enum", std::move(all)}}), read, show};
}

[[nodiscard]] Form<double> number(double least, double most);
[[nodiscard]] Form<bool> boolean();
[[nodiscard]] Form<Millis> duration(Millis least, Millis most);
[[nodiscard]] Form<std::uint64_t> size(std::uint64_t least);
// `zero_means` is for the words: "never by size".
[[nodiscard]] Form<std::uint64_t> size_or_zero(std::uint64_t least, std::string_view zero_means);
[[nodiscard]] Form<Millis> duration_or_zero(Millis least, Millis most, std::string_view zero_means);
// A path, made absolute from the directory of the file. `expanded`: one that begins with ${NAME} stays as it
// is.
[[nodiscard]] Form<std::string> path(bool expanded = false);
// A user or group, by name or number.
[[nodiscard]] Form<std::string> account(std::string_view what);
[[nodiscard]] Form<std::string> variable_name();
[[nodiscard]] Form<std::uint32_t> octal();
[[nodiscard]] Form<int> signal_number();
[[nodiscard]] Form<ExitMatch> exit_match();
// A number, or max, or max-N.
[[nodiscard]] Form<std::uint32_t> instance_count();
// NAME: value; values are scalars and kept as they are written. nullopt: `~`, not to be set.
[[nodiscard]] Form<std::map<std::string, std::optional<std::string>>> variables();
// A list, or one text that is split into words (exec.cpp).
[[nodiscard]] Form<std::vector<std::string>> command();

// A number of instances, or a share of them: "25%".
[[nodiscard]] Form<Portion> portion();
// NAME: started, ready or completed.
[[nodiscard]] Form<std::map<Name, Dependency>> dependencies();
// Any value; what is kept is JSON on one line.
[[nodiscard]] Form<std::string> json_value();

// An address and a port of this host.
struct Endpoint {
  std::string address;  // numeric; empty: every address, IPv4 and IPv6
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};
enum class EndpointUse { bind, connect };  // connect: `address` is not empty, nor one that means all
[[nodiscard]] Form<Endpoint> endpoint(EndpointUse use);
// The address of a unix socket: a path, or '@' and an abstract name.
[[nodiscard]] Form<std::string> socket_address();

// What a resource limit counts.
enum class LimitUnit { count, bytes, seconds, microseconds };
// `most` bounds the value; unlimited is allowed where it is Rlimit::unlimited.
[[nodiscard]] Form<Rlimit> limit(LimitUnit unit, std::uint64_t most = Rlimit::unlimited);

// CPUs by number, as cpuset(7) lists them: "0-3,7". What is read is in ascending order, without overlaps.
[[nodiscard]] Form<std::string> cpu_list();
// A map of disks to bounds of their traffic.
[[nodiscard]] Form<std::map<std::string, IoMax>> io_max();

// Words of a shell, quoted where needed: unambiguous, so that it can be hashed, and readable.
[[nodiscard]] std::string show_words(std::span<const std::string> words);

template <class T>
Form<std::vector<T>> list(Form<T> item, std::string_view of) {
  const std::string words = "a list of " + std::string{of};
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::vector<T>> {
    if (node.kind != Kind::sequence) {
      reading.refuse(node, place, words, node.kind == Kind::scalar ? ": put it in brackets" : "");
      return std::nullopt;
    }
    std::vector<T> values;
    bool good = true;
    for (std::size_t i = 0; i < node.entries.size(); ++i) {
      auto value = item.read(*node.entries[i].value, Place{&place, "", i}, reading);
      good = good && value.has_value();
      if (value) values.push_back(std::move(*value));
    }
    return good ? std::optional{std::move(values)} : std::nullopt;
  };
  auto show = [=](const std::vector<T>& values) {
    std::vector<std::string> shown;
    shown.reserve(values.size());
    for (const auto& value : values) shown.push_back(item.show(value));
    return show_words(shown);
  };
  return {words, Json::object({{"type", "array"}, {"items", item.schema}}), read, show};
}

}  // namespace svd::spec
