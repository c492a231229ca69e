// SPDX-License-Identifier: Apache-2.0
#include "model/directories.h"

#include "support/catch.h"

using namespace svd;

TEST_CASE("any path can be a D-Bus address, and comes back out of it", "[model]") {
  CHECK(address_of_path("/run/svd/bus") == "unix:path=/run/svd/bus");
  CHECK(address_of_path("/a,b;c%2F d/bus") == "unix:path=/a%2cb%3bc%252F%20d/bus");
  CHECK(Directories{"/x,y", "", ""}.address() == "unix:path=/x%2cy/bus");
  std::string every = "/";
  for (int byte = 1; byte < 256; ++byte) every += static_cast<char>(byte);
  const auto address = address_of_path(every);
  CHECK(address.find_first_of(",;= ", sizeof "unix:path=" - 1) == std::string::npos);
  CHECK(path_of_address(address) == every);
}

TEST_CASE("addresses that are no one path are none", "[model]") {
  for (const auto* other : {"unix:abstract=x", "unix:path=/a,guid=1", "unix:path=/a;unix:path=/b",
                            "unix:path=/%2", "unix:path=/%zz", "tcp:host=a", ""})
    CHECK_FALSE(path_of_address(other));
}
