// SPDX-License-Identifier: Apache-2.0
// Each fuzz target over its corpus, whole and cut short.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "support/catch.h"

using namespace svd;

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

// Of tests/fuzz/*.cmake: "NAME REACH CORPUS MAX", one a line.
std::map<std::string, std::string> corpora() {
  std::map<std::string, std::string> all;
  std::ifstream lines{SVD_FUZZ_TARGETS};
  for (std::string name, reach, corpus, most; lines >> name >> reach >> corpus >> most;) all[name] = corpus;
  return all;
}

// In a block of its own size, so that a sanitizer sees what is read beyond its end.
void run(const fuzz::Target& target, std::string_view bytes) {
  const std::vector<char> block{bytes.begin(), bytes.end()};
  target.run({block.data(), block.size()});
}

}  // namespace

TEST_CASE("every fuzz target holds what it promises on its corpus", "[fuzz]") {
  const auto folders = corpora();
  REQUIRE(folders.size() == fuzz::targets().size());
  for (const auto& target : fuzz::targets()) {
    CAPTURE(target.name);
    REQUIRE(folders.contains(target.name));
    const auto files = files_below(folders.at(target.name));
    CHECK_FALSE(files.empty());
    for (const auto& file : files) {
      INFO(file);
      const auto bytes = read(file);
      run(target, bytes);
      for (const std::size_t part : {1, 2, 3})
        run(target, std::string_view{bytes}.substr(0, bytes.size() * part / 4));
    }
    run(target, {});
  }
}
