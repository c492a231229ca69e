// SPDX-License-Identifier: Apache-2.0
#include "bus/paths.h"

#include <charconv>

namespace svd::bus {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// One element. A leading digit is escaped too, as sd_bus_path_encode(3) does; "_" alone stands for nothing,
// which no name can be.
std::string label(const std::string& name) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (is_plain(c) && !(i == 0 && is_digit(c))) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'_', hex[byte >> 4U], hex[byte & 15U]};
    }
  }
  return out;
}

std::optional<Name> name_of(std::string_view element) {
  std::string text;
  while (!element.empty()) {
    if (element.front() != '_') {
      text += element.front();
      element.remove_prefix(1);
      continue;
    }
    if (element.size() < 3) return std::nullopt;
    unsigned byte = 0;
    const auto* end = element.data() + 3;
    if (const auto read = std::from_chars(element.data() + 1, end, byte, 16); read.ptr != end)
      return std::nullopt;
    text += static_cast<char>(byte);
    element.remove_prefix(3);
  }
  auto name = Name::parse(text);
  if (!name) return std::nullopt;
  return std::move(*name);
}

// What follows `prefix` and a slash; empty when `path` is not below it.
std::string_view below(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix) || path.size() <= prefix.size() || path[prefix.size()] != '/') return {};
  return path.substr(prefix.size() + 1);
}

std::string_view take_element(std::string_view& rest) {
  const auto slash = rest.find('/');
  const auto element = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  return element;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, number); read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return number;
}

std::optional<AppId> take_app(std::string_view& rest) {
  auto ecosystem = name_of(take_element(rest));
  auto app = name_of(take_element(rest));
  if (!ecosystem || !app) return std::nullopt;
  return AppId{std::move(*ecosystem), std::move(*app)};
}

}  // namespace

std::string path_of(const AppId& id) {
  return std::string{app_prefix} + "/" + label(id.ecosystem.str()) + "/" + label(id.app.str());
}

std::string path_of(const SlotId& id) {
  return std::string{instance_prefix} + "/" + label(id.app.ecosystem.str()) + "/" + label(id.app.app.str()) +
         "/" + std::to_string(id.slot);
}

std::string path_of(ChangeId id) {
  if (id == ChangeId{}) return "/";
  return std::string{change_prefix} + "/" + std::to_string(static_cast<std::uint64_t>(id));
}

std::optional<AppId> app_at(std::string_view path) {
  auto rest = below(path, app_prefix);
  auto id = take_app(rest);
  if (!id || path_of(*id) != path) return std::nullopt;
  return id;
}

std::optional<SlotId> slot_at(std::string_view path) {
  auto rest = below(path, instance_prefix);
  auto app = take_app(rest);
  const auto slot = number_of<std::uint32_t>(rest);
  if (!app || !slot) return std::nullopt;
  SlotId id{std::move(*app), *slot};
  if (path_of(id) != path) return std::nullopt;
  return id;
}

std::optional<ChangeId> change_at(std::string_view path) {
  const auto number = number_of<std::uint64_t>(below(path, change_prefix));
  if (!number || path_of(ChangeId{*number}) != path) return std::nullopt;
  return ChangeId{*number};
}

}  // namespace svd::bus
