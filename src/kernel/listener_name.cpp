// SPDX-License-Identifier: Apache-2.0
#include "kernel/listener_name.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "keeper/protocol.h"

namespace svd {
namespace {

constexpr std::string_view prefix = "listener:";
constexpr std::size_t longest_name = 63, longest_number = 16, longest_index = 5;
static_assert(prefix.size() + 3 * (longest_name + 1) + 2 * (longest_number + 1) + longest_index <=
              keeper::max_name);
static_assert(max_instances <= 100'000);

std::string hex(std::uint64_t number) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%lx", number);
  return text.data();
}

// Up to the next ':', which goes, too.
std::string_view take_word(std::string_view& from) {
  const auto end = from.find(':');
  const auto word = from.substr(0, end);
  from.remove_prefix(end == std::string_view::npos ? from.size() : end + 1);
  return word;
}

template <class T>
bool take_number(std::string_view& from, int base, T& out) {
  const auto word = take_word(from);
  const auto read = std::from_chars(word.data(), word.data() + word.size(), out, base);
  return read.ec == std::errc{} && read.ptr == word.data() + word.size();
}

bool take_name(std::string_view& from, Name& out) {
  auto name = Name::parse(take_word(from));
  if (name) out = std::move(*name);
  return name.has_value();
}

}  // namespace

std::uint64_t listener_identity(const Listener& listener) {
  const auto text = std::to_string(static_cast<int>(listener.kind)) + "|" + listener.address + "|" +
                    std::to_string(listener.port) + (listener.v6only ? "|v6only" : "");
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

bool is_listener_name(std::string_view held_name) { return held_name.starts_with(prefix); }

std::string to_held_name(const HeldListener& socket) {
  return std::string{prefix} + socket.app.str() + ":" + socket.listener.str() + ":" + hex(socket.identity) +
         ":" + std::to_string(socket.index) + ":" + hex(socket.mark);
}

std::optional<HeldListener> parse_held_name(std::string_view held_name) {
  if (!is_listener_name(held_name)) return std::nullopt;
  auto rest = held_name.substr(prefix.size());
  HeldListener socket;
  if (!take_name(rest, socket.app.ecosystem) || !take_name(rest, socket.app.app) ||
      !take_name(rest, socket.listener) || !take_number(rest, 16, socket.identity) ||
      !take_number(rest, 10, socket.index) || !take_number(rest, 16, socket.mark) || !rest.empty())
    return std::nullopt;
  return socket;
}

}  // namespace svd
