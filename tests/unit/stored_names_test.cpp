// SPDX-License-Identifier: Apache-2.0
#include "kernel/service_manager.h"
#include "support/catch.h"

using namespace svd;

TEST_CASE("a stored name has nothing that a service manager refuses", "[kernel]") {
  CHECK(StoredNames::encode("listener:shop:web:http:1f:0:0") == "listener%3Ashop%3Aweb%3Ahttp%3A1f%3A0%3A0");
  CHECK(StoredNames::encode("socket shop:web /run/a%b\n") == "socket%20shop%3Aweb%20/run/a%25b%0A");
  CHECK(StoredNames::encode("plain-name_1.2") == "plain-name_1.2");
}

namespace {

bool note(StoredNames& names, const std::string& name) { return names.note(name, StoredNames::encode(name)); }

}  // namespace

TEST_CASE("what is stored stays below what one environment variable takes", "[kernel]") {
  StoredNames names;
  CHECK_FALSE(note(names, std::string(200, ':')));  // 600 bytes, where 255 are allowed
  std::size_t noted = 0;
  while (note(names, std::to_string(noted) + std::string(200, 'x'))) ++noted;
  CHECK(noted > 500);
  CHECK(noted < StoredNames::most_bytes / 200);
  CHECK(note(names, "0" + std::string(200, 'x')));  // it is in there already
  CHECK(names.forget("0" + std::string(200, 'x')) == "0" + std::string(200, 'x'));
  CHECK(names.forget("0" + std::string(200, 'x')).empty());
  CHECK(note(names, "1000000" + std::string(190, 'x')));  // there is room again
}

TEST_CASE("no more descriptors are stored than the unit asks for", "[kernel]") {
  StoredNames names;
  std::size_t noted = 0;
  while (note(names, std::to_string(noted))) ++noted;
  CHECK(noted == StoredNames::most);
}

TEST_CASE("a watchdog is fed twice in its time, if it is ours and says a number", "[kernel]") {
  CHECK(watchdog_interval("60000000", nullptr, 7) == Millis{30'000});
  CHECK(watchdog_interval("60000000", "7", 7) == Millis{30'000});
  CHECK(watchdog_interval("60000000", "8", 7) == Millis{0});
  CHECK(watchdog_interval("60000000", "7x", 7) == Millis{0});
  CHECK(watchdog_interval("1", nullptr, 7) == Millis{1});
  CHECK(watchdog_interval("9223372036854775807", nullptr, 7) == Millis{24LL * 3600 * 1000});
  for (const char* const bad : {"", "0", "-5", "x", "5 ", "99999999999999999999"})
    CHECK(watchdog_interval(bad, nullptr, 7) == Millis{0});
  CHECK(watchdog_interval(nullptr, nullptr, 7) == Millis{0});
}
