// SPDX-License-Identifier: Apache-2.0
// For the tests of the state: a directory, and a keeper that holds descriptors (a map, as its table is one).
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kernel/passing.h"
#include "support/catch.h"

namespace svd::test {

class StateDirectory {
 public:
  StateDirectory() {
    std::string name = "/tmp/svd-state-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;
  ~StateDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  [[nodiscard]] std::string path() const { return root_ + "/state"; }
  [[nodiscard]] std::string file(const std::string& name) const { return path() + "/" + name; }

 private:
  std::string root_;
};

struct FakeHolder final : Holder {
  std::map<std::string, UniqueFd> all;
  bool full = false;

  Result<> hold(const std::string& name, int fd) override {
    if (full) return fail(std::errc::no_buffer_space, "cannot hold '" + name + "': it is full");
    all.insert_or_assign(name, UniqueFd{::fcntl(fd, F_DUPFD_CLOEXEC, 3)});
    return {};
  }
  [[nodiscard]] int borrow(const std::string& name) const override {
    const auto found = all.find(name);
    return found == all.end() ? -1 : found->second.get();
  }
  [[nodiscard]] std::vector<std::string> held_names() const override {
    std::vector<std::string> names;
    for (const auto& [name, fd] : all) names.push_back(name);
    return names;
  }
  void release(const std::string& name) override { all.erase(name); }
};

}  // namespace svd::test
