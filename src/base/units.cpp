// SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace svd {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// Milliseconds a unit. Longest names first only matters for "ms" against "m", which the exact match settles.
constexpr std::array duration_units{Unit{"ms", 1}, Unit{"s", 1e3}, Unit{"m", 60e3}, Unit{"h", 3600e3},
                                    Unit{"d", 86400e3}};
constexpr std::array byte_units{Unit{"B", 1},
                                Unit{"KiB", 1024.0},
                                Unit{"MiB", 1048576.0},
                                Unit{"GiB", 1073741824.0},
                                Unit{"TiB", 1099511627776.0},
                                Unit{"kB", 1e3},
                                Unit{"MB", 1e6},
                                Unit{"GB", 1e9},
                                Unit{"TB", 1e12}};
constexpr double max_millis = 3650.0 * 86400e3;
constexpr double max_bytes = 9.0e18;  // below 2^63, so that it stays exact on D-Bus and in JSON readers

// digits[.digits]unit → value in the base unit.
template <std::size_t N>
std::optional<double> parse_quantity(std::string_view text, const std::array<Unit, N>& units) {
  if (text == "0") return 0.0;
  const auto end = text.find_first_not_of("0123456789.");
  if (end == 0 || end == std::string_view::npos || text.front() == '.' || text[end - 1] == '.')
    return std::nullopt;
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + end, number, std::chars_format::fixed);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + end) return std::nullopt;
  for (const auto& unit : units)
    if (unit.name == text.substr(end)) return number * unit.factor;
  return std::nullopt;
}

}  // namespace

std::optional<Millis> parse_duration(std::string_view text) {
  const auto value = parse_quantity(text, duration_units);
  if (!value || *value > max_millis || *value != std::floor(*value)) return std::nullopt;
  return Millis{static_cast<std::int64_t>(*value)};
}

std::string format_duration(Millis value) {
  const auto count = value.count();
  if (count == 0) return "0s";
  constexpr std::array<std::pair<std::int64_t, const char*>, 4> units{
      {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}}};
  for (const auto& [factor, name] : units)
    if (count % factor == 0) return std::to_string(count / factor) + name;
  return std::to_string(count) + "ms";
}

std::string format_age(Millis value) {
  const auto seconds = value.count() / 1000;
  if (seconds < 100) return std::to_string(seconds) + "s";
  if (seconds < 100 * 60) return std::to_string(seconds / 60) + "m";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto value = parse_quantity(text, byte_units);
  if (!value || *value > max_bytes || *value != std::floor(*value)) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::string format_bytes(std::uint64_t value) {
  constexpr std::array names{"TiB", "GiB", "MiB", "KiB"};
  std::uint64_t factor = 1ULL << 40;
  for (const auto* name : names) {
    if (value >= factor && value % factor == 0) return std::to_string(value / factor) + name;
    factor >>= 10;
  }
  return std::to_string(value) + "B";
}

namespace {
// Rounded down: "9.9" and not "10.0" for 9.99.
std::string with_tenth(std::uint64_t tenths) {
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}
}  // namespace

std::string format_size(std::uint64_t bytes) {
  constexpr std::array names{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::uint64_t factor = 1;
  while (unit + 1 < names.size() && bytes / factor >= 1000) {
    ++unit;
    factor <<= 10;
  }
  const auto whole = bytes / factor;
  if (unit == 0 || whole >= 10) return std::to_string(whole) + names[unit];
  return with_tenth(whole * 10 + (bytes % factor) * 10 / factor) + names[unit];
}

std::string format_cpu_time(std::uint64_t micros) {
  const auto tenths = micros / 100'000;
  return tenths < 1000 ? with_tenth(tenths) + "s"
                       : format_age(Millis{static_cast<std::int64_t>(micros / 1000)});
}

}  // namespace svd
