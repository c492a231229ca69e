// SPDX-License-Identifier: Apache-2.0
// What no app alone can tell: two of them at one address, dependencies that lead nowhere or in a circle.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "spec/rules.h"

namespace svd::spec {

class Together {
 public:
  // Also of apps that have complaints of their own: everything is told at once.
  void add(const AppInFile& file, const AppSpec& app);
  void check(Complaints& complaints) const;

 private:
  struct Member {
    const Node* settings;
    std::vector<Listener> listen;
    std::map<Name, Dependency> depends_on;
    bool restarts_always;
  };

  void check_addresses(Complaints& complaints) const;
  void check_dependency(const Name& app, const Name& other, Dependency wanted, Complaints& complaints) const;
  void check_cycles(Complaints& complaints) const;
  // At the place of `other` in the app's `depends_on`.
  void complain(const Name& app, const Name& other, std::string text, Complaints& complaints) const;

  std::map<Name, Member> apps_;
};

}  // namespace svd::spec
