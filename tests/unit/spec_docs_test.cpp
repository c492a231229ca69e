// SPDX-License-Identifier: Apache-2.0
#include "spec/fields.h"
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;

namespace {

void check_generated(const std::string& path, const std::string& text) {
  if (update_golden()) std::ofstream{path, std::ios::binary} << text;
  INFO(path << " is generated: svd-gen-docs write SOURCE_DIR");
  CHECK(read(path) == text);
}

}  // namespace

TEST_CASE("the schema and the manual in the tree are those of the table", "[spec]") {
  check_generated("../schemas/ecosystem.schema.json", spec::json_schema());
  check_generated("../contrib/manual/ecosystem.md", spec::manual());
}

TEST_CASE("every field is in the manual and can be explained, with its documentation", "[spec]") {
  const auto manual = spec::manual();
  for (const auto& field : spec::fields()) {
    CAPTURE(field.key);
    CHECK_FALSE((field.doc.empty() || field.words.empty() || field.initial.empty()));
    const auto last =
        field.key.substr(field.key.rfind('.') == std::string_view::npos ? 0 : field.key.rfind('.') + 1);
    CHECK(manual.find("| `" + std::string{last} + "` |") != std::string::npos);
    for (const auto* prefix :
         {"", "apps.web.", "apps.*.", "defaults.", "profiles.p.apps.web.", "profiles.p.defaults."}) {
      const auto text = spec::explain(prefix + std::string{field.key});
      REQUIRE(text);
      CHECK(text->find(field.doc) != std::string::npos);
    }
  }
}

TEST_CASE("sections, the top of the file and an app can be explained too", "[spec]") {
  CHECK(spec::explain("apps.web.restart")->find("max_delay") != std::string::npos);
  CHECK(spec::explain("apps.*.env.NODE_ENV")->starts_with("env\n"));
  for (const auto* top : {"", "apps", "apps.web", "defaults", "profiles", "profiles.production",
                          "profiles.p.apps", "version", "name"}) {
    CAPTURE(top);
    CHECK(spec::explain(top));
  }
  CHECK(spec::explain("apps")->find("instances") != std::string::npos);
}

TEST_CASE("a path that does not exist is an error that suggests the nearest", "[spec]") {
  CHECK(spec::explain("apps.web.restrat").error().text ==
        "cannot explain 'apps.web.restrat': no such key, did you mean 'restart'?");
  CHECK(spec::explain("restart.dely").error().text ==
        "cannot explain 'restart.dely': no such key, did you mean 'restart.delay'?");
  CHECK(spec::explain("delay").error().text ==
        "cannot explain 'delay': no such key, did you mean 'restart.delay'?");
  for (const auto* bad :
       {"xyzzy", ".", "..", "apps.web.xyzzy", "apps.web.restart.x.y", "env.A.B", "exec.x"}) {
    CAPTURE(bad);
    CHECK_FALSE(spec::explain(bad));
  }
}
