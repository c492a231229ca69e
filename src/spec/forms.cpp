// SPDX-License-Identifier: Apache-2.0
#include "spec/forms.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "base/units.h"

namespace svd::spec {
namespace {

constexpr const char* duration_pattern = "^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$";
constexpr const char* size_pattern = "^(0|[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB))$";
constexpr const char* size_pattern_above_zero = "^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$";

// A text, or the number 0, which needs no unit.
Json text_or_zero(const char* pattern) {
  return Json::object({{"type", Json::array({"string", "integer"})},
                       {"pattern", pattern},
                       {"minimum", std::int64_t{0}},
                       {"maximum", std::int64_t{0}}});
}
Json text_like(const char* pattern) { return Json::object({{"type", "string"}, {"pattern", pattern}}); }

// For a number without a unit, in quotes or not.
std::string unit_hint(const Node& node, std::string_view one, std::string_view other) {
  const bool bare = node.kind == Kind::scalar && !node.text.empty() && node.text.size() < 20 &&
                    node.text != "0" && node.text.find_first_not_of("0123456789.") == std::string::npos;
  if (!bare) return "";
  return ": it needs a unit, such as " + node.text + std::string{one} + " or " + node.text +
         std::string{other};
}

// For a size in the letters of docker, systemd and PM2: "512M".
std::string size_hint(const Node& node) {
  constexpr std::string_view letters = "KMGT";
  const auto text = std::string_view{node.text};
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  auto unit = text.substr(digits);
  if (unit.ends_with('b') || unit.ends_with('B')) unit.remove_suffix(1);
  if (unit.ends_with('i')) unit.remove_suffix(1);
  const auto letter = unit.size() == 1 ? letters.find(static_cast<char>(unit[0] & ~0x20)) : letters.npos;
  if (node.kind != Kind::scalar || digits == 0 || letter == letters.npos) return unit_hint(node, "MiB", "GB");
  return ": write " + node.text.substr(0, digits) + letters[letter] + "iB";
}

// The text of a value that may be given in quotes or without; numbers count only where they are the number 0.
std::optional<std::string_view> quantity_text(const Node& node) {
  const bool usable = is_text(node) || (is_number(node) && node.text == "0");
  return usable ? std::optional<std::string_view>{node.text} : std::nullopt;
}

Form<Millis> duration_form(Millis least, Millis most, bool or_zero, const std::string& words) {
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Millis> {
    const auto text = quantity_text(node);
    const auto value = text ? parse_duration(*text) : std::nullopt;
    if (value && ((*value >= least && *value <= most) || (or_zero && *value == Millis{0}))) return value;
    reading.refuse(node, place, words, unit_hint(node, "ms", "s"));
    return std::nullopt;
  };
  return {words, text_or_zero(duration_pattern), read,
          [](const Millis& value) { return format_duration(value); }};
}

Form<std::uint64_t> size_form(std::uint64_t least, bool or_zero, const std::string& words) {
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::uint64_t> {
    const auto text = quantity_text(node);
    const auto value = text ? parse_bytes(*text) : std::nullopt;
    if (value && (*value >= least || (or_zero && *value == 0))) return value;
    reading.refuse(node, place, words, value ? "" : size_hint(node));
    return std::nullopt;
  };
  return {words, or_zero ? text_or_zero(size_pattern) : text_like(size_pattern_above_zero), read,
          [](const std::uint64_t& value) { return format_bytes(value); }};
}

template <class T>
Form<T> form(const std::string& words, Json schema,
             std::function<std::optional<T>(const Node&, const Place&)> parse,
             std::function<std::string(const T&)> show, std::string_view (*hint)(const Node&) = nullptr) {
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<T> {
    auto value = parse(node, place);
    if (!value) reading.refuse(node, place, words, hint == nullptr ? std::string_view{} : hint(node));
    return value;
  };
  return {words, std::move(schema), read, std::move(show)};
}

// Without ".", empty parts and a slash at the end. ".." stays: before a symbolic link it is not what it looks
// like.
std::string normal_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (!part.empty() && part != ".") out.append("/").append(part);
  }
  return out.empty() ? "/" : out;
}

bool is_account_name(std::string_view text) {
  const auto bad = [](char c) { return c == ':' || c == '/' || static_cast<unsigned char>(c) <= ' '; };
  return !text.empty() && text.size() <= 255 && std::ranges::none_of(text, bad);
}

std::string_view octal_hint(const Node& node) {
  return is_number(node) ? ": it is octal, so it starts with a 0" : "";
}

}  // namespace

void Reading::refuse(const Node& node, const Place& place, std::string_view words, std::string_view hint) {
  if (complaints.full()) return;
  complaints.add(node.mark, place,
                 "want " + std::string{words} + "; got " + describe(node) + std::string{hint});
}

std::string_view quote_hint(const Node& node) {
  if (node.kind != Kind::scalar || node.plain) return "";
  Node bare;
  bare.kind = Kind::scalar;
  bare.plain = true;
  bare.text = node.text;
  return is_text(bare) ? "" : ": remove the quotes";
}

Form<double> number(double least, double most) {
  const auto text = [](double value) { return Json{value}.dump(); };
  return form<double>(
      "a number, " + text(least) + " to " + text(most),
      Json::object({{"type", "number"}, {"minimum", least}, {"maximum", most}}),
      [=](const Node& node, const Place&) -> std::optional<double> {
        const auto value = as_number(node);
        return value && *value >= least && *value <= most ? value : std::nullopt;
      },
      text, quote_hint);
}

Form<bool> boolean() {
  return form<bool>(
      "true or false", Json::object({{"type", "boolean"}}),
      [](const Node& node, const Place&) { return as_bool(node); },
      [](const bool& value) { return std::string{value ? "true" : "false"}; }, quote_hint);
}

Form<Millis> duration(Millis least, Millis most) {
  return duration_form(least, most, false,
                       "a duration, " + format_duration(least) + " to " + format_duration(most));
}

Form<Millis> duration_or_zero(Millis least, Millis most, std::string_view zero_means) {
  return duration_form(
      least, most, true,
      "a duration of " + format_duration(least) + " or more, or 0: " + std::string{zero_means});
}

Form<std::uint64_t> size(std::uint64_t least) {
  return size_form(least, false, "a size of " + format_bytes(least) + " or more");
}

Form<std::uint64_t> size_or_zero(std::uint64_t least, std::string_view zero_means) {
  return size_form(least, true,
                   "a size of " + format_bytes(least) + " or more, or 0: " + std::string{zero_means});
}

Form<std::string> path(bool expanded) {
  const std::string words = "a path, relative to the file's directory or absolute";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::string> {
    constexpr std::size_t longest = 4095;  // PATH_MAX less the final NUL
    if (!is_text(node) || node.text.empty() || node.text.size() > longest) {
      const bool is_scalar = node.kind == Kind::scalar && node.plain;
      reading.refuse(node, place, words, is_scalar && !is_text(node) ? ": put it in quotes" : "");
      return std::nullopt;
    }
    if (node.text.starts_with("~/") || node.text == "~") {
      reading.complaints.add(node.mark, place,
                             "no shell reads this: write the home directory out instead of '~'");
      return std::nullopt;
    }
    if (!expanded && node.text.find("${") != std::string::npos) {
      reading.complaints.add(node.mark, place, "${…} is not replaced in this path: write it out");
      return std::nullopt;
    }
    if (node.text.starts_with("${")) return node.text;
    return normal_path(node.text.starts_with('/') ? node.text : reading.source.directory + "/" + node.text);
  };
  return {words, text_like("^[^~]|^~[^/]"), read, [](const std::string& value) { return value; }};
}

Form<std::string> account(std::string_view what) {
  return form<std::string>(
      "a " + std::string{what} + ", by name or number",
      Json::object({{"type", Json::array({"string", "integer"})},
                    {"minimum", std::int64_t{0}},
                    {"maximum", std::int64_t{4294967294}},
                    {"pattern", "^[^:/\\s]{1,255}$"}}),
      [](const Node& node, const Place&) -> std::optional<std::string> {
        // (uid_t)-1 means "leave it" to the kernel: chown(2), setresuid(2).
        constexpr std::int64_t highest_id = 4294967294;
        const auto id = as_integer(node);
        const bool good = is_number(node) ? id && *id >= 0 && *id <= highest_id
                                          : is_text(node) && is_account_name(node.text);
        return good ? std::optional{node.text} : std::nullopt;
      },
      [](const std::string& value) { return value; });
}

Form<std::string> variable_name() {
  return form<std::string>(
      "the name of a variable", text_like("^[^=]+$"),
      [](const Node& node, const Place&) -> std::optional<std::string> {
        const bool good = is_text(node) && !node.text.empty() && node.text.find('=') == std::string::npos;
        return good ? std::optional{node.text} : std::nullopt;
      },
      [](const std::string& value) { return value; });
}

Form<std::uint32_t> octal() {
  return form<std::uint32_t>(
      "an octal number, 0000 to 0777",
      Json::object({{"type", Json::array({"string", "integer"})},
                    {"pattern", "^0[0-7]{0,3}$"},
                    {"minimum", std::int64_t{0}},
                    {"maximum", std::int64_t{0}}}),
      [](const Node& node, const Place&) -> std::optional<std::uint32_t> {
        const auto& text = node.text;
        std::uint32_t value = 0;
        const auto* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, value, 8);
        const bool good =
            node.kind == Kind::scalar && text.starts_with('0') && text.size() <= 4 && parsed.ptr == end;
        return good && parsed.ec == std::errc{} && value <= 0777 ? std::optional{value} : std::nullopt;
      },
      [](const std::uint32_t& value) {
        std::string text = "0000";
        for (std::size_t i = 0; i < 3; ++i) text[3 - i] = static_cast<char>('0' + ((value >> (3 * i)) & 7U));
        return text;
      },
      octal_hint);
}

namespace {
constexpr const char* signal_pattern = "^(SIG)?([A-Z][A-Z0-9]*|RTMIN(\\+[0-9]+)?)$";

// A signal by name; numbers are for those who write none of the quotes.
std::optional<int> read_signal(const Node& node) {
  if (is_number(node)) {
    const auto number = as_integer(node);
    return number && *number >= 1 && *number <= 64 ? std::optional{static_cast<int>(*number)} : std::nullopt;
  }
  const bool is_name = is_text(node) && !node.text.empty() && node.text[0] >= 'A' && node.text[0] <= 'Z';
  return is_name ? parse_signal(node.text) : std::nullopt;
}
}  // namespace

Form<int> signal_number() {
  return form<int>(
      "a signal, such as SIGTERM",
      Json::object({{"type", Json::array({"string", "integer"})},
                    {"pattern", signal_pattern},
                    {"minimum", std::int64_t{1}},
                    {"maximum", std::int64_t{64}}}),
      [](const Node& node, const Place&) { return read_signal(node); },
      [](const int& value) { return signal_name(value); });
}

Form<ExitMatch> exit_match() {
  return form<ExitMatch>(
      "an exit code, 0 to 255, or a signal's name",
      Json::object({{"type", Json::array({"string", "integer"})},
                    {"pattern", signal_pattern},
                    {"minimum", std::int64_t{0}},
                    {"maximum", std::int64_t{255}}}),
      [](const Node& node, const Place&) -> std::optional<ExitMatch> {
        if (const auto code = as_integer(node))
          return *code >= 0 && *code <= 255 ? std::optional{ExitMatch{false, static_cast<int>(*code)}}
                                            : std::nullopt;
        const auto number = read_signal(node);
        return number ? std::optional{ExitMatch{true, *number}} : std::nullopt;
      },
      [](const ExitMatch& match) {
        return match.is_signal ? signal_name(match.number) : std::to_string(match.number);
      },
      quote_hint);
}

Form<std::uint32_t> instance_count() {
  const std::string words = "a whole number, 0 to " + std::to_string(max_instances) + ", or max, or max-N";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::uint32_t> {
    if (const auto count = as_integer(node); count && *count >= 0 && *count <= max_instances)
      return static_cast<std::uint32_t>(*count);
    const auto cpus = std::max(1U, reading.source.cpus);
    if (is_text(node) && node.text == "max") return std::min(cpus, max_instances);
    if (is_text(node) && node.text.starts_with("max-")) {
      std::uint32_t less = 0;
      const auto* end = node.text.data() + node.text.size();
      const auto parsed = std::from_chars(node.text.data() + 4, end, less);
      if (parsed.ec == std::errc{} && parsed.ptr == end && less > 0 && node.text[4] != '0')
        return std::min(less < cpus ? cpus - less : 1, max_instances);
    }
    reading.refuse(node, place, words, quote_hint(node));
    return std::nullopt;
  };
  auto schema = Json::object({{"type", Json::array({"integer", "string"})},
                              {"minimum", std::int64_t{0}},
                              {"maximum", static_cast<std::int64_t>(max_instances)},
                              {"pattern", "^max(-[1-9][0-9]{0,8})?$"}});
  return {words, std::move(schema), read, [](const std::uint32_t& value) { return std::to_string(value); }};
}

Form<std::map<std::string, std::optional<std::string>>> variables() {
  using Map = std::map<std::string, std::optional<std::string>>;
  const std::string words = "a map of names to values";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Map> {
    if (node.kind != Kind::map) {
      reading.refuse(node, place, words,
                     node.kind == Kind::sequence ? ": write NAME: value, without dashes" : "");
      return std::nullopt;
    }
    Map all;
    for (const auto& [key, value] : node.entries) {
      const Place here{&place, key->text};
      if (key->text.empty() || key->text.find('=') != std::string::npos)
        reading.complaints.add(key->mark, here, "the name of a variable is not empty and has no '='");
      else if (value->kind == Kind::scalar)
        all.emplace(key->text, value->text);
      else if (value->kind == Kind::null)
        all.emplace(key->text, std::nullopt);
      else
        reading.refuse(*value, here, "a text, a number or a boolean");
    }
    return all;
  };
  auto schema =
      Json::object({{"type", "object"},
                    {"propertyNames", Json::object({{"pattern", "^[^=]+$"}})},
                    {"additionalProperties",
                     Json::object({{"type", Json::array({"string", "number", "boolean", "null"})}})}});
  auto show = [](const Map& all) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : all)
      if (value) lines.push_back(std::string{name}.append("=").append(*value));
    return show_words(lines);
  };
  return {words, std::move(schema), read, show};
}

}  // namespace svd::spec
