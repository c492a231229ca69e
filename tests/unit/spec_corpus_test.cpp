// SPDX-License-Identifier: Apache-2.0
#include "unit/spec_support.h"

using namespace svd;
using namespace svd::spec_test;

TEST_CASE("every good file of the corpus is decoded, and again in the same way from what was kept",
          "[spec][corpus]") {
  const auto files = corpus("good");
  REQUIRE(files.size() >= 25);
  for (const auto& file : files) {
    const auto text = read(file);
    auto from = source(text, profile_of(text));
    const auto decoded = spec::decode(from, inputs());
    INFO(file << "\n" << (decoded ? "" : spec::render(decoded.error(), from)));
    REQUIRE(decoded);
    const auto kept = from;
    CHECK(spec::decode(from, {}) == decoded);  // no file and no environment is asked for a second time
    CHECK(from == kept);
  }
}

TEST_CASE("every bad file of the corpus gets the diagnostics beside it", "[spec][corpus]") {
  const auto files = corpus("bad");
  REQUIRE(files.size() >= 25);
  for (const auto& file : files) {
    const auto text = read(file);
    auto from = source(text, profile_of(text));
    from.file = file.filename();
    const auto decoded = spec::decode(from, inputs());
    INFO(file);
    REQUIRE_FALSE(decoded);
    const auto rendered = spec::render(decoded.error(), from);
    auto golden = file;
    golden.replace_extension(".txt");
    if (update_golden()) std::ofstream{golden, std::ios::binary} << rendered;
    CHECK(rendered == read(golden));
    CHECK(rendered.find("hunter2") == std::string::npos);  // the corpus' secret
  }
}

TEST_CASE("ten different mistakes in one file give ten diagnostics at their places", "[spec][corpus]") {
  const auto found = complaints(read("corpus/spec/bad/ten-mistakes.yaml"));
  std::vector<std::pair<std::uint32_t, std::uint32_t>> places;
  for (const auto& d : found) places.emplace_back(d.line, d.column);
  CHECK(places ==
        std::vector<std::pair<std::uint32_t, std::uint32_t>>{
            {1, 10}, {2, 7}, {4, 21}, {7, 11}, {8, 5}, {9, 22}, {10, 23}, {11, 3}, {12, 16}, {15, 21}});
}
