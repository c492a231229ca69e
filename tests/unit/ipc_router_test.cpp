// SPDX-License-Identifier: Apache-2.0
#include "ipc/router.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::ipc;

namespace {

SlotId slot(const std::string& app, std::uint32_t number, const std::string& ecosystem = "shop") {
  return {{Name::parse(ecosystem).value(), Name::parse(app).value()}, number};
}
using Ids = std::vector<StartId>;

struct Town {
  Town() {
    directory.enter(slot("api", 0), StartId{1});
    directory.enter(slot("api", 1), StartId{2});
    directory.enter(slot("web", 0), StartId{3});
    directory.enter(slot("web", 1), StartId{4});
    directory.enter(slot("web", 0, "other"), StartId{5});
    directory.enter(slot("apiary", 0), StartId{6});
  }
  Ids find(const std::string& name) { return directory.find(slot("web", 1), name).value_or(Ids{}); }
  Directory directory;
};

}  // namespace

TEST_CASE("a letter goes to an instance, an app or all of the ecosystem, never back to its sender", "[ipc]") {
  Town town;
  CHECK(town.find("api/1") == Ids{StartId{2}});
  CHECK(town.find("web/1") == Ids{StartId{4}});  // by its own name: it knows what it does
  CHECK(town.find("api") == Ids{StartId{1}, StartId{2}});
  CHECK(town.find("web") == Ids{StartId{3}});
  CHECK(town.find("all") == Ids{StartId{1}, StartId{2}, StartId{6}, StartId{3}});
}

TEST_CASE("a name that nobody has is an error", "[ipc]") {
  Town town;
  const auto name = GENERATE(as<std::string>{}, "", "nobody", "api/7", "api/", "api/x", "api/-1", "api/1/2",
                             "/0", "other:web/0", "a b", "api/99999999999");
  CAPTURE(name);
  const auto found = town.directory.find(slot("web", 1), name);
  REQUIRE_FALSE(found);
  CHECK(found.error().text == "cannot send to " + name + ": there is no such instance with a channel");
}

TEST_CASE("an app of which only the sender has a channel is known, and has nobody else", "[ipc]") {
  Directory directory;
  directory.enter(slot("web", 0), StartId{1});
  const auto found = directory.find(slot("web", 0), "web");
  REQUIRE(found);
  CHECK(found->empty());
}

TEST_CASE("while an instance is replaced, the newest that is ready stands for the slot", "[ipc]") {
  Directory directory;
  directory.enter(slot("api", 0), StartId{1});
  CHECK(directory.standing_for(slot("api", 0)) == StartId{1});
  directory.set_ready(slot("api", 0), StartId{1}, true);
  directory.enter(slot("api", 0), StartId{2});
  CHECK(directory.standing_for(slot("api", 0)) == StartId{1});
  directory.set_ready(slot("api", 0), StartId{2}, true);
  CHECK(directory.standing_for(slot("api", 0)) == StartId{2});
  directory.set_ready(slot("api", 0), StartId{2}, false);
  CHECK(directory.standing_for(slot("api", 0)) == StartId{1});
  directory.leave(slot("api", 0), StartId{1});
  CHECK(directory.standing_for(slot("api", 0)) == StartId{2});
  directory.leave(slot("api", 0), StartId{2});
  CHECK(directory.standing_for(slot("api", 0)) == StartId{});
}

TEST_CASE("a letter waits for one who is full, and passes one who is stuck", "[ipc]") {
  const auto room = [](StartId id) {
    return std::array{Room::free, Room::full, Room::stuck}[static_cast<std::size_t>(id) % 10];
  };
  auto delivery = deliver({StartId{10}, StartId{20}}, room);
  CHECK(delivery.deliver == Ids{StartId{10}, StartId{20}});
  CHECK(delivery.wait_for == StartId{});
  delivery = deliver({StartId{10}, StartId{2}, StartId{20}}, room);
  CHECK(delivery.deliver == Ids{StartId{10}, StartId{20}});
  CHECK(delivery.refuse == Ids{StartId{2}});
  delivery = deliver({StartId{10}, StartId{1}, StartId{2}}, room);
  CHECK(delivery.wait_for == StartId{1});
  CHECK(delivery.deliver.empty());
}
