// SPDX-License-Identifier: Apache-2.0
#include "kernel/service_manager.h"
#include "support/catch.h"

using namespace svd;

TEST_CASE("a stored name has nothing that a service manager refuses", "[kernel]") {
  CHECK(StoredNames::encode("listener:shop:web:http:1f:0:0") == "listener%3Ashop%3Aweb%3Ahttp%3A1f%3A0%3A0");
  CHECK(StoredNames::encode("socket shop:web /run/a%b\n") == "socket%20shop%3Aweb%20/run/a%25b%0A");
  CHECK(StoredNames::encode("plain-name_1.2") == "plain-name_1.2");
}

TEST_CASE("what is stored stays below what one environment variable takes", "[kernel]") {
  StoredNames names;
  CHECK_FALSE(names.note(std::string(200, ':')));  // 600 bytes, where 255 are allowed
  std::size_t noted = 0;
  while (names.note(std::to_string(noted) + std::string(200, 'x'))) ++noted;
  CHECK(noted > 500);
  CHECK(noted < StoredNames::most_bytes / 200);
  CHECK(names.note("0" + std::string(200, 'x')));  // it is in there already
  REQUIRE(names.forget("0" + std::string(200, 'x')));
  CHECK_FALSE(names.forget("0" + std::string(200, 'x')));
  CHECK(names.note("1000000" + std::string(190, 'x')));  // there is room again
}

TEST_CASE("no more descriptors are stored than the unit asks for", "[kernel]") {
  StoredNames names;
  std::size_t noted = 0;
  while (names.note(std::to_string(noted))) ++noted;
  CHECK(noted == StoredNames::most);
}
