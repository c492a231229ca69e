// SPDX-License-Identifier: Apache-2.0
// svd-gen-docs schema|manual: to standard output. svd-gen-docs write DIRECTORY: both files of a source tree.
#include <fstream>
#include <iostream>
#include <string>

#include "spec/spec.h"

namespace {

bool write(const std::string& path, const std::string& text) {
  std::ofstream file{path, std::ios::trunc};
  file << text;
  file.close();
  if (!file) std::cerr << "svd-gen-docs: cannot write " << path << "\n";
  return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "schema" && argc == 2) {
    std::cout << svd::spec::json_schema();
  } else if (verb == "manual" && argc == 2) {
    std::cout << svd::spec::manual();
  } else if (verb == "write" && argc == 3) {
    const std::string tree = argv[2];
    const bool done = write(tree + "/schemas/ecosystem.schema.json", svd::spec::json_schema()) &&
                      write(tree + "/contrib/manual/ecosystem.md", svd::spec::manual());
    return done ? 0 : 1;
  } else {
    std::cerr << "usage: svd-gen-docs schema|manual|write DIRECTORY\n";
    return 2;
  }
  return 0;
}
