// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.h"
#include "spec/fields.h"
#include "spec/spec.h"

namespace svd::spec {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto dot = path.find('.');
    parts.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

std::string join(std::span<const std::string_view> parts) {
  std::string text;
  for (const auto part : parts) text += (text.empty() ? "" : ".") + std::string{part};
  return text;
}

std::string explain_key(std::string_view path, const Key& key) {
  return std::string{path} + "\n  " + std::string{key.doc} + "\n\n  value:    " + key.words +
         "\n  default:  " + key.initial + "\n  a change: " + std::string{to_words(key.effect)} + "\n";
}

std::string line(std::string_view key, std::string_view doc) {
  return "  " + std::string{key} + std::string(key.size() < 14 ? 14 - key.size() : 1, ' ') +
         std::string{doc} + "\n";
}

std::string list_top() {
  std::string text = "The keys of an ecosystem file:\n";
  for (const auto& top : top_keys()) text += line(top.key, top.doc);
  return text;
}

std::string list_keys(std::string_view section) {
  std::string text;
  for (const auto& key : keys_below(section)) {
    const auto path = section.empty() ? key : std::string{section} + "." + key;
    const auto* field = find_field(path);
    const auto doc = field == nullptr ? find_section(path)->doc : field->doc;
    text += line(key, doc);
  }
  return text;
}

std::string explain_field(const Field& field) {
  auto text = explain_key(field.key, field);
  if (!field.entry.empty()) text += "\nThe keys of each:\n";
  for (const auto& key : field.entry) text += line(key.key, key.doc);
  return text;
}

// What is below a map of names, "listen": a name, a key of it, or that key without a name in front.
// nullopt: no such key.
std::optional<std::string> explain_below(const std::vector<std::string_view>& parts) {
  const auto* field = find_field(parts[0]);
  if (field == nullptr) return std::nullopt;
  if (parts[0] == "env" || parts[0] == "depends_on")  // apps.web.env.PORT
    return parts.size() == 2 ? std::optional{explain_field(*field)} : std::nullopt;
  if (field->entry.empty() || parts.size() > 3) return std::nullopt;
  if (const auto* key = field->find_entry(parts.back()))
    return explain_key(std::string{field->key} + ".*." + std::string{key->key}, *key);
  return parts.size() == 2 ? std::optional{explain_field(*field)} : std::nullopt;
}

std::string explain_top(const TopKey& top) {
  auto text = std::string{top.key} + "\n  " + std::string{top.doc} +
              "\n\n  value:    " + std::string{top.words} + "\n  default:  " + std::string{top.initial} +
              "\n";
  if (top.key == "apps" || top.key == "defaults") text += "\nThe keys of an app:\n" + list_keys("");
  return text;
}

// The part of the path that lies below an app, or nullopt where the path ends above one.
std::optional<std::vector<std::string_view>> below_app(std::vector<std::string_view> parts) {
  const auto drop = [&](std::size_t count) {
    parts.erase(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count));
  };
  if (parts[0] == "profiles") {
    if (parts.size() < 3) return std::nullopt;
    drop(2);
  }
  if (parts[0] == "defaults" && parts.size() > 1)
    drop(1);
  else if (parts[0] == "apps" && parts.size() > 1)
    drop(2);
  else if (parts[0] == "apps" || parts[0] == "defaults")
    return std::nullopt;
  return parts;
}

std::string unknown(std::string_view path, std::string_view key) {
  std::vector<std::string> all;
  for (const auto& top : top_keys()) all.emplace_back(top.key);
  for (const auto& section : sections()) all.emplace_back(section.key);
  for (const auto& field : fields()) {
    all.emplace_back(field.key);
    for (const auto& below : field.entry)
      all.push_back(std::string{field.key} + "." + std::string{below.key});
  }
  const auto last = key.substr(key.rfind('.') == std::string_view::npos ? 0 : key.rfind('.') + 1);
  const auto* field = find_field(key.substr(0, key.find('.')));
  const bool is_named = field != nullptr && !field->entry.empty();  // without the name: all of them are alike
  const auto near =
      nearest(is_named ? std::string{field->key} + "." + std::string{last} : std::string{key}, all);
  const auto hint = near ? ", did you mean '" + *near + "'?" : suggest_key("", last);
  return "cannot explain " + in_quotes(path) + ": no such key" + hint;
}

}  // namespace

Result<std::string> explain(std::string_view path) {
  if (path.empty()) return list_top();
  const auto below = below_app(split(path));
  if (!below) {
    const auto top = std::ranges::find(top_keys(), split(path)[0], &TopKey::key);
    return explain_top(*top);
  }
  if (below->empty()) return "an app\n\n" + list_keys("");
  const auto key = join(*below);
  if (const auto* field = find_field(key)) return explain_field(*field);
  if (const auto* section = find_section(key))
    return key + "\n  " + std::string{section->doc} + "\n\n" + list_keys(key);
  const auto top = std::ranges::find(top_keys(), path, &TopKey::key);
  if (top != top_keys().end()) return explain_top(*top);
  if (auto text = explain_below(*below)) return std::move(*text);
  return fail(std::errc::invalid_argument, unknown(path, key));
}

}  // namespace svd::spec
