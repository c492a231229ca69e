// SPDX-License-Identifier: Apache-2.0
// The file system sees another user and his groups, for this thread alone and as long as this lives: what is
// done meanwhile is done with his rights over files, whoever exchanges what on the way. setfsuid(2) takes
// root's rights over files away with it and gives them back.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace svd {

class ActingAs {
 public:
  ActingAs(std::uint32_t uid, std::uint32_t gid, const std::vector<std::uint32_t>& groups);
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs();
  // False: the kernel refused (no CAP_SETUID), and nothing may be done in his name.
  [[nodiscard]] bool works() const noexcept { return works_; }

 private:
  std::vector<gid_t> groups_;
  bool works_ = false;
};

}  // namespace svd
