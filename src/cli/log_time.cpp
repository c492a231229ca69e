// SPDX-License-Identifier: Apache-2.0
// The times that log lines begin with, in the forms that programs use.
#include <algorithm>
#include <array>
#include <ctime>
#include <initializer_list>

#include "cli/log_reader.h"

namespace svd::cli {
namespace {

// What a line is asked for before it counts as one without a time.
constexpr std::size_t search_window = 512;

// A position in a text; each take_…() moves on only when it succeeds.
struct Cursor {
  std::string_view text;

  bool take(char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool at_digit() const { return !text.empty() && text.front() >= '0' && text.front() <= '9'; }
  // Exactly `digits` digits.
  bool take_digits(std::size_t digits, int& into) {
    if (text.size() < digits) return false;
    int value = 0;
    for (const char c : text.substr(0, digits)) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    into = value;
    text.remove_prefix(digits);
    return true;
  }
  // One or more digits, at most `most`; more is a failure.
  bool take_number(std::size_t most, std::int64_t& into, std::size_t& digits) {
    digits = 0;
    std::int64_t value = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
      if (digits == most) return false;
      value = value * 10 + (text[digits++] - '0');
    }
    if (digits == 0) return false;
    into = value;
    text.remove_prefix(digits);
    return true;
  }
  // ".123" or ",123456789" as microseconds; 0 when there is none.
  std::int64_t take_fraction() {
    if (text.size() < 2 || (text[0] != '.' && text[0] != ',') || text[1] < '0' || text[1] > '9') return 0;
    text.remove_prefix(1);
    std::int64_t micros = 0, unit = 100'000;
    for (; at_digit(); text.remove_prefix(1), unit /= 10) micros += (text.front() - '0') * unit;
    return micros;
  }
};

struct Parts {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  bool operator==(const Parts&) const = default;
};

bool plausible(const Parts& p) {
  return p.year >= 1970 && p.year <= 2200 && p.month >= 1 && p.month <= 12 && p.day >= 1 && p.day <= 31 &&
         p.hour <= 23 && p.minute <= 59 && p.second <= 60;
}

// Seconds east of UTC from "Z", "+01:00", "-0530", " +0000", " UTC"; nullopt: none is told.
std::optional<std::int64_t> take_zone(Cursor& at) {
  auto next = at;
  static_cast<void>(next.take(' '));
  if (next.text.starts_with("UTC") || next.text.starts_with("GMT")) return 0;
  if (at.take('Z')) return 0;
  if (next.text.empty() || (next.text.front() != '+' && next.text.front() != '-')) return std::nullopt;
  const int sign = next.text.front() == '-' ? -1 : 1;
  next.text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!next.take_digits(2, hours)) return std::nullopt;
  static_cast<void>(next.take(':'));
  if (!next.take_digits(2, minutes)) return std::nullopt;
  at = next;
  return sign * (hours * 3600 + minutes * 60);
}

// mktime(3) looks at the time zone's file each time; the lines of a log mostly share their minute.
std::int64_t local_seconds(const Parts& parts, std::tm tm) {
  static Parts minute;
  static std::int64_t start = 0;
  Parts wanted = parts;
  wanted.second = 0;
  if (wanted != minute) {
    tm.tm_sec = 0;
    start = std::mktime(&tm);
    minute = wanted;
  }
  return start + parts.second;
}

std::optional<WallTime> finish(const Parts& parts, Cursor at) {
  if (!plausible(parts)) return std::nullopt;
  const auto micros = at.take_fraction();
  std::tm tm{};
  tm.tm_year = parts.year - 1900;
  tm.tm_mon = parts.month - 1;
  tm.tm_mday = parts.day;
  tm.tm_hour = parts.hour;
  tm.tm_min = parts.minute;
  tm.tm_sec = parts.second;
  tm.tm_isdst = -1;
  const auto zone = take_zone(at);
  const std::int64_t seconds = zone ? ::timegm(&tm) - *zone : local_seconds(parts, tm);
  return WallTime{seconds * 1'000'000 + micros};
}

bool take_clock(Cursor& at, Parts& parts) {
  return at.take_digits(2, parts.hour) && at.take(':') && at.take_digits(2, parts.minute) && at.take(':') &&
         at.take_digits(2, parts.second);
}

// 2026-01-31T12:00:00…, 2026-01-31 12:00:00…, 2026/01/31 12:00:00…
std::optional<WallTime> numeric_date(Cursor at) {
  Parts parts;
  if (!at.take_digits(4, parts.year)) return std::nullopt;
  const char separator = at.text.empty() ? ' ' : at.text.front();
  if (separator != '-' && separator != '/') return std::nullopt;
  const bool date = at.take(separator) && at.take_digits(2, parts.month) && at.take(separator) &&
                    at.take_digits(2, parts.day);
  if (!date || !(at.take('T') || at.take('t') || at.take(' ')) || !take_clock(at, parts)) return std::nullopt;
  return finish(parts, at);
}

// 31/Jan/2026:12:00:00 +0000, 31 Jan 2026 12:00:00.123
std::optional<WallTime> named_month(Cursor at) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  Parts parts;
  if (!at.take_digits(2, parts.day)) return std::nullopt;
  const char separator = at.text.empty() ? '-' : at.text.front();
  if ((separator != '/' && separator != ' ') || !at.take(separator)) return std::nullopt;
  const auto month = std::ranges::find(months, at.text.substr(0, 3));
  if (month == months.end()) return std::nullopt;
  parts.month = static_cast<int>(month - months.begin()) + 1;
  at.text.remove_prefix(3);
  if (!at.take(separator) || !at.take_digits(4, parts.year) || !(at.take(':') || at.take(' ')) ||
      !take_clock(at, parts))
    return std::nullopt;
  return finish(parts, at);
}

// 1769860800, 1769860800.123, 1769860800123: seconds with or without a fraction, or milliseconds.
std::optional<WallTime> epoch(Cursor at) {
  std::int64_t value = 0;
  std::size_t digits = 0;
  if (!at.take_number(13, value, digits) || (digits != 10 && digits != 13)) return std::nullopt;
  const auto micros = digits == 13 ? value * 1000 : value * 1'000'000 + at.take_fraction();
  const bool ends =
      at.text.empty() || std::string_view{" \t]),|}:"}.find(at.text.front()) != std::string_view::npos;
  return ends ? std::optional{WallTime{micros}} : std::nullopt;
}

std::optional<WallTime> any(Cursor at) {
  for (const auto parse : {&numeric_date, &named_month, &epoch})
    if (const auto time = parse(at)) return time;
  return std::nullopt;
}

std::optional<WallTime> in_json(std::string_view line) {
  for (const std::string_view key : {"\"time\":", "\"timestamp\":", "\"@timestamp\":", "\"ts\":"}) {
    const auto at = line.find(key);
    if (at == std::string_view::npos) continue;
    Cursor value{line.substr(at + key.size())};
    static_cast<void>(value.take(' '));
    static_cast<void>(value.take('"'));
    if (const auto time = any(value)) return time;
  }
  return std::nullopt;
}

}  // namespace

std::optional<WallTime> leading_time(std::string_view line) {
  line = line.substr(0, search_window);
  Cursor at{line};
  if (at.take('{')) return in_json(line);
  if (!at.take('[')) static_cast<void>(at.take('('));
  if (const auto time = any(at)) return time;
  // The access logs of web servers have it in brackets behind the client, redis behind "PID:ROLE ".
  if (const auto bracket = line.find('['); bracket != std::string_view::npos)
    if (const auto time = named_month({line.substr(bracket + 1)})) return time;
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos || line.substr(0, blank).find(':') == std::string_view::npos)
    return std::nullopt;
  return named_month({line.substr(blank + 1)});
}

}  // namespace svd::cli
