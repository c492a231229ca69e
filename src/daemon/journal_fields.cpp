// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal_fields.h"

#include <charconv>

namespace svd {
namespace {

std::string field(const char* name, const std::string& value) {
  return std::string{name} + "=" + value + "\n";
}

std::optional<AppId> parse_app(std::string_view subject) {
  const auto colon = subject.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto ecosystem = Name::parse(subject.substr(0, colon));
  auto app = Name::parse(subject.substr(colon + 1));
  if (!ecosystem || !app) return std::nullopt;
  return AppId{std::move(*ecosystem), std::move(*app)};
}

}  // namespace

std::optional<SlotId> parse_slot(std::string_view subject) {
  const auto slash = subject.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto app = parse_app(subject.substr(0, slash));
  const auto number = subject.substr(slash + 1);
  std::uint32_t slot = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), slot);
  if (!app || read.ec != std::errc{} || read.ptr != number.data() + number.size()) return std::nullopt;
  return SlotId{std::move(*app), slot};
}

std::string journal_fields(const EventRecord& record,
                           const std::function<std::string(StartId, const SlotId&)>& cgroup) {
  if (record.kind != "instance") return {};
  const auto slot = parse_slot(record.subject);
  const auto app = slot ? slot->app : parse_app(record.subject);
  if (!app) return {};
  auto fields = field("SVD_ECOSYSTEM", app->ecosystem.str()) + field("SVD_APP", app->app.str());
  if (slot) fields += field("SVD_INSTANCE", std::to_string(slot->slot));
  if (record.revision != 0) fields += field("SVD_REVISION", std::to_string(record.revision));
  if (!slot || record.start == 0) return fields;
  if (const auto path = cgroup(StartId{record.start}, *slot); !path.empty())
    fields += field("SVD_CGROUP", path);
  return fields;
}

}  // namespace svd
