// SPDX-License-Identifier: Apache-2.0
// Values that only limits have: sets of CPUs, and what may go to and from disks.
#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "base/units.h"
#include "spec/forms.h"

namespace svd::spec {
namespace {

constexpr std::uint32_t highest_cpu = 8191;  // the kernel's own bound, CONFIG_NR_CPUS
constexpr std::uint64_t least_rate = 4096;
constexpr const char* disk_pattern = "^(/.*|[0-9]{1,4}:[0-9]{1,7})$";

struct CpuRange {
  std::uint32_t first = 0, last = 0;
};

std::optional<std::uint32_t> parse_cpu(std::string_view text) {
  std::uint32_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && text.size() <= 4;
  return good && value <= highest_cpu ? std::optional{value} : std::nullopt;
}

std::optional<std::vector<CpuRange>> parse_cpus(std::string_view text) {
  std::vector<CpuRange> ranges;
  while (true) {
    const auto part = text.substr(0, text.find(','));
    const auto dash = part.find('-');
    const auto first = parse_cpu(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_cpu(part.substr(dash + 1));
    if (!first || !last || *first > *last) return std::nullopt;
    ranges.push_back({*first, *last});
    if (part.size() == text.size()) return ranges;
    text.remove_prefix(part.size() + 1);
  }
}

std::string show_cpus(std::vector<CpuRange> ranges) {
  std::ranges::sort(ranges, {}, &CpuRange::first);
  std::vector<CpuRange> merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().last + 1)
      merged.back().last = std::max(merged.back().last, range.last);
    else
      merged.push_back(range);
  }
  std::string text;
  for (const auto& range : merged) {
    text += (text.empty() ? "" : ",") + std::to_string(range.first);
    if (range.last > range.first) text += "-" + std::to_string(range.last);
  }
  return text;
}

bool is_disk(std::string_view text) {
  if (text.starts_with('/')) return true;
  const auto colon = text.find(':');
  const auto is_digits = [](std::string_view part, std::size_t most) {
    return !part.empty() && part.size() <= most &&
           part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return colon != std::string_view::npos && is_digits(text.substr(0, colon), 4) &&
         is_digits(text.substr(colon + 1), 7);
}

// The keys of one disk, as the kernel calls them.
struct IoKey {
  std::string_view name;
  std::optional<std::uint64_t> IoMax::*member;
  bool is_rate;
};
constexpr std::array io_keys{IoKey{"rbps", &IoMax::rbps, true}, IoKey{"wbps", &IoMax::wbps, true},
                             IoKey{"riops", &IoMax::riops, false}, IoKey{"wiops", &IoMax::wiops, false}};

Form<std::uint64_t> io_bound(bool is_rate) {
  return is_rate ? size(least_rate) : integer<std::uint64_t>(1, 1'000'000'000);
}

void read_disk(const Node& node, const Place& place, Reading& reading, IoMax& into) {
  constexpr std::string_view words = "a map of rbps, wbps, riops and wiops";
  if (node.kind != Kind::map) return reading.refuse(node, place, words);
  for (const auto& [key, value] : node.entries) {
    const Place here{&place, key->text};
    const auto known = std::ranges::find(io_keys, key->text, &IoKey::name);
    if (known == io_keys.end())
      reading.complaints.add(key->mark, here, "unknown key: want " + std::string{words.substr(9)});
    else if (value->kind != Kind::null)
      into.*known->member = io_bound(known->is_rate).read(*value, here, reading);
  }
}

std::string show_disk(const std::string& disk, const IoMax& bounds) {
  std::string text = disk;
  for (const auto& key : io_keys)
    if (const auto& bound = bounds.*key.member)
      text += " " + std::string{key.name} + "=" + io_bound(key.is_rate).show(*bound);
  return text;
}

Json io_max_schema() {
  auto bounds = Json::object({});
  for (const auto& key : io_keys) {
    auto schema = io_bound(key.is_rate).schema;
    auto* type = schema.find("type");
    *type = Json::array({*type, "null"});
    bounds.set(key.name, std::move(schema));
  }
  auto disk = Json::object({{"type", Json::array({"object", "null"})}, {"additionalProperties", false}});
  disk.set("properties", std::move(bounds));
  return Json::object({{"type", "object"},
                       {"propertyNames", Json::object({{"pattern", disk_pattern}})},
                       {"additionalProperties", std::move(disk)}});
}

}  // namespace

Form<std::string> cpu_list() {
  const std::string words = "CPUs by number, such as 0-3,7";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<std::string> {
    const bool usable = node.kind == Kind::scalar && (is_text(node) || as_integer(node));
    const auto ranges = usable ? parse_cpus(node.text) : std::nullopt;
    if (ranges) return show_cpus(*ranges);
    reading.refuse(node, place, words, node.kind == Kind::sequence ? ": write it as one text" : "");
    return std::nullopt;
  };
  auto schema = Json::object({{"type", Json::array({"string", "integer"})},
                              {"pattern", "^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$"},
                              {"minimum", std::int64_t{0}},
                              {"maximum", std::int64_t{highest_cpu}}});
  return {words, std::move(schema), read, [](const std::string& value) { return value; }};
}

Form<std::map<std::string, IoMax>> io_max() {
  using Disks = std::map<std::string, IoMax>;
  const std::string words = "a map of disks (a device file, a path on the disk, or MAJOR:MINOR) to bounds";
  auto read = [=](const Node& node, const Place& place, Reading& reading) -> std::optional<Disks> {
    if (node.kind != Kind::map) {
      reading.refuse(node, place, words);
      return std::nullopt;
    }
    Disks disks;
    for (const auto& [key, value] : node.entries) {
      const Place here{&place, key->text};
      if (!is_disk(key->text))
        reading.complaints.add(key->mark, here, "no disk: want an absolute path or MAJOR:MINOR");
      else if (value->kind != Kind::null)
        read_disk(*value, here, reading, disks[key->text]);
    }
    return disks;
  };
  auto show = [](const Disks& disks) {
    std::string text;
    for (const auto& [disk, bounds] : disks) text += (text.empty() ? "" : ", ") + show_disk(disk, bounds);
    return text;
  };
  return {words, io_max_schema(), read, show};
}

}  // namespace svd::spec
