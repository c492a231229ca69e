// SPDX-License-Identifier: Apache-2.0
#include <systemd/sd-bus.h>

#include <cstdlib>
#include <random>

#include "bus/paths.h"
#include "support/catch.h"

using namespace svd;
using namespace svd::bus;

namespace {

AppId id(const std::string& ecosystem, const std::string& app) {
  return {*Name::parse(ecosystem), *Name::parse(app)};
}

std::string random_name(std::mt19937& random) {
  constexpr std::string_view letters = "abzAZ059_.-";
  std::uniform_int_distribution<std::size_t> pick{0, letters.size() - 1};
  std::string name(1, letters[pick(random) % 8]);
  const auto length = pick(random) * 5;
  while (name.size() < length) name += letters[pick(random)];
  return name;
}

}  // namespace

TEST_CASE("paths read as names where names allow it", "[bus]") {
  CHECK(path_of(id("shop", "web")) == "/org/svd1/app/shop/web");
  CHECK(path_of(SlotId{id("shop", "web"), 12}) == "/org/svd1/instance/shop/web/12");
  CHECK(path_of(id("my-shop", "1st.app_x")) == "/org/svd1/app/my_2dshop/_31st_2eapp_5fx");
  CHECK(path_of(ChangeId{12}) == "/org/svd1/change/12");
  CHECK(path_of(ChangeId{}) == "/");
}

TEST_CASE("every name comes back from its path, and is escaped as libsystemd does it", "[bus][property]") {
  std::mt19937 random{Catch::rngSeed()};
  for (int round = 0; round < 500; ++round) {
    const AppId app = id(random_name(random), random_name(random));
    const SlotId slot{app, static_cast<std::uint32_t>(random())};
    CHECK(app_at(path_of(app)) == app);
    CHECK(slot_at(path_of(slot)) == slot);
    char* theirs = nullptr;
    REQUIRE(sd_bus_path_encode_many(&theirs, "/org/svd1/app/%/%", app.ecosystem.str().c_str(),
                                    app.app.str().c_str()) >= 0);
    CHECK(path_of(app) == theirs);
    std::free(theirs);
  }
}

TEST_CASE("a path has one spelling, and what is none names nothing", "[bus]") {
  const auto path =
      GENERATE(as<std::string>{}, "", "/", "/org/svd1/app", "/org/svd1/app/", "/org/svd1/app/shop",
               "/org/svd1/app/shop/", "/org/svd1/app/shop/web/", "/org/svd1/app/shop/web/0",
               "/org/svd1/app/_73hop/web", "/org/svd1/app/shop/web_2", "/org/svd1/app/shop/web_2E",
               "/org/svd1/app/shop/_2f", "/org/svd1/application/shop/web", "/org/svd1/instance/shop/web",
               "/org/svd1/instance/shop/web/00", "/org/svd1/instance/shop/web/-1",
               "/org/svd1/instance/shop/web/4294967296", "/org/svd1/instance/shop/web/0/0",
               "/org/svd1/instance/shop/web/1x", "/org/svd1/change/", "/org/svd1/change/0",
               "/org/svd1/change/012", "/org/svd1/change/1/");
  CAPTURE(path);
  CHECK_FALSE(app_at(path));
  CHECK_FALSE(slot_at(path));
  CHECK_FALSE(change_at(path));
}
