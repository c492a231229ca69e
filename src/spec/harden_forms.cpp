// SPDX-License-Identifier: Apache-2.0
#include "spec/harden_forms.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/names.h"

namespace svd::spec {
namespace {

// By number, as <linux/capability.h> has them.
constexpr std::array<std::string_view, 41> capability_names{"CAP_CHOWN",
                                                            "CAP_DAC_OVERRIDE",
                                                            "CAP_DAC_READ_SEARCH",
                                                            "CAP_FOWNER",
                                                            "CAP_FSETID",
                                                            "CAP_KILL",
                                                            "CAP_SETGID",
                                                            "CAP_SETUID",
                                                            "CAP_SETPCAP",
                                                            "CAP_LINUX_IMMUTABLE",
                                                            "CAP_NET_BIND_SERVICE",
                                                            "CAP_NET_BROADCAST",
                                                            "CAP_NET_ADMIN",
                                                            "CAP_NET_RAW",
                                                            "CAP_IPC_LOCK",
                                                            "CAP_IPC_OWNER",
                                                            "CAP_SYS_MODULE",
                                                            "CAP_SYS_RAWIO",
                                                            "CAP_SYS_CHROOT",
                                                            "CAP_SYS_PTRACE",
                                                            "CAP_SYS_PACCT",
                                                            "CAP_SYS_ADMIN",
                                                            "CAP_SYS_BOOT",
                                                            "CAP_SYS_NICE",
                                                            "CAP_SYS_RESOURCE",
                                                            "CAP_SYS_TIME",
                                                            "CAP_SYS_TTY_CONFIG",
                                                            "CAP_MKNOD",
                                                            "CAP_LEASE",
                                                            "CAP_AUDIT_WRITE",
                                                            "CAP_AUDIT_CONTROL",
                                                            "CAP_SETFCAP",
                                                            "CAP_MAC_OVERRIDE",
                                                            "CAP_MAC_ADMIN",
                                                            "CAP_SYSLOG",
                                                            "CAP_WAKE_ALARM",
                                                            "CAP_BLOCK_SUSPEND",
                                                            "CAP_AUDIT_READ",
                                                            "CAP_PERFMON",
                                                            "CAP_BPF",
                                                            "CAP_CHECKPOINT_RESTORE"};

std::optional<std::uint64_t> capability_bit(std::string_view name) {
  const auto found = std::ranges::find(capability_names, name);
  if (found == capability_names.end()) return std::nullopt;
  return std::uint64_t{1} << static_cast<unsigned>(found - capability_names.begin());
}

std::string capability_hint(const Node& node) {
  if (!is_text(node)) return "";
  std::string wanted;
  for (const char c : node.text) wanted += (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  if (!wanted.starts_with("CAP_")) wanted.insert(0, "CAP_");
  const auto near =
      nearest(wanted, std::vector<std::string>{capability_names.begin(), capability_names.end()});
  return near ? ", did you mean '" + *near + "'?" : std::string{};
}

std::string show_capabilities(const std::uint64_t& mask) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < capability_names.size(); ++i)
    if ((mask >> i & 1U) != 0) names.emplace_back(capability_names[i]);
  return names.empty() ? "none" : show_words(names);
}

}  // namespace

Form<std::uint64_t> capabilities() {
  const std::string words = "a list of capabilities, such as CAP_NET_BIND_SERVICE";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::uint64_t> {
    if (node.kind != Kind::sequence) {
      reading.refuse(node, place, words, node.kind == Kind::scalar ? ": put it in brackets" : "");
      return std::nullopt;
    }
    std::uint64_t mask = 0;
    bool good = true;
    for (std::size_t i = 0; i < node.entries.size(); ++i) {
      const auto& item = *node.entries[i].value;
      const auto bit = item.kind == Kind::scalar ? capability_bit(item.text) : std::nullopt;
      if (!bit) reading.refuse(item, Place{&place, "", i}, "a capability", capability_hint(item));
      good = good && bit;
      mask |= bit.value_or(0);
    }
    return good ? std::optional{mask} : std::nullopt;
  };
  Json names = Json::array({});
  for (const auto name : capability_names) names.push(name);
  auto item = Json::object({{"type", "string"}, {"enum", std::move(names)}});
  return {words, Json::object({{"type", "array"}, {"items", std::move(item)}}), read, show_capabilities};
}

Form<std::string> system_call() {
  const std::string words = "a system call or a group of them, such as read, @system-service or ~@mount";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::string> {
    std::string_view name = is_text(node) ? std::string_view{node.text} : std::string_view{};
    if (name.starts_with('~')) name.remove_prefix(1);
    if (name.starts_with('@')) name.remove_prefix(1);
    const auto is_name = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    if (!name.empty() && std::ranges::all_of(name, is_name)) return node.text;
    reading.refuse(node, place, words);
    return std::nullopt;
  };
  return {words, Json::object({{"type", "string"}, {"pattern", "^~?@?[a-z0-9_-]+$"}}), read,
          [](const std::string& value) { return value; }};
}

Form<std::map<std::string, std::string>> credentials() {
  using Map = std::map<std::string, std::string>;
  const std::string words = "a map of names to files";
  auto file = path();
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Map> {
    if (node.kind != Kind::map) {
      reading.refuse(node, place, words,
                     node.kind == Kind::sequence ? ": write NAME: path, without dashes" : "");
      return std::nullopt;
    }
    Map all;
    bool good = true;
    for (const auto& [key, value] : node.entries) {
      const Place here{&place, key->text};
      if (const auto name = Name::parse(key->text); !name) {
        reading.complaints.add(key->mark, here, name.error().text);
        good = false;
      } else if (value->kind != Kind::null) {  // null: not set
        auto at = file.read(*value, here, reading);
        good = good && at;
        if (at) all.emplace(key->text, std::move(*at));
      }
    }
    return good ? std::optional{std::move(all)} : std::nullopt;
  };
  auto schema = Json::object(
      {{"type", "object"},
       {"propertyNames", Json::object({{"pattern", name_pattern}})},
       {"additionalProperties",
        Json::object({{"anyOf", Json::array({Json::object({{"type", "null"}}), file.schema})}})}});
  auto show = [](const Map& all) {
    std::vector<std::string> lines;
    for (const auto& [name, at] : all) lines.push_back(std::string{name}.append("=").append(at));
    return show_words(lines);
  };
  return {words, std::move(schema), read, show};
}

}  // namespace svd::spec
