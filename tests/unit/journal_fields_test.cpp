// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal_fields.h"

#include "support/catch.h"

using namespace svd;

namespace {

EventRecord event(std::string kind, std::string subject, std::uint64_t start = 0,
                  std::uint64_t revision = 0) {
  EventRecord out{1, {}, std::move(kind), std::move(subject), "starting → ready"};
  out.start = start;
  out.revision = revision;
  return out;
}

std::string fields(const EventRecord& record) {
  return journal_fields(record, [](StartId id, const SlotId& slot) {
    return "/svd.service/svd-1/" + slot.app.str() + "/" + std::to_string(slot.slot) + "." +
           std::to_string(static_cast<std::uint64_t>(id));
  });
}

}  // namespace

TEST_CASE("an instance's event says ecosystem, app, instance, revision and cgroup", "[daemon]") {
  CHECK(fields(event("instance", "shop:web/12", 17, 3)) ==
        "SVD_ECOSYSTEM=shop\nSVD_APP=web\nSVD_INSTANCE=12\nSVD_REVISION=3\n"
        "SVD_CGROUP=/svd.service/svd-1/shop:web/12.17\n");
}

TEST_CASE("what is not known is no field", "[daemon]") {
  CHECK(fields(event("instance", "shop:web/0")) == "SVD_ECOSYSTEM=shop\nSVD_APP=web\nSVD_INSTANCE=0\n");
  CHECK(fields(event("instance", "shop:web")) == "SVD_ECOSYSTEM=shop\nSVD_APP=web\n");
  CHECK(journal_fields(event("instance", "shop:web/0", 17, 3), [](StartId, const SlotId&) {
          return std::string{};  // there are no cgroups
        }) == "SVD_ECOSYSTEM=shop\nSVD_APP=web\nSVD_INSTANCE=0\nSVD_REVISION=3\n");
}

TEST_CASE("events about no app have no fields", "[daemon]") {
  for (const auto* subject :
       {"apply 12", "engine", "shop", "shop:", ":web/0", "shop:web/", "shop:web/x", "shop:web/1 "})
    CHECK(fields(event("instance", subject)).empty());
  CHECK(fields(event("change", "shop:web/0", 1, 1)).empty());
}
