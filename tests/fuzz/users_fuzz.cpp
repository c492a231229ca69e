// SPDX-License-Identifier: Apache-2.0
// Any bytes as the databases of users and groups (a container brings its own), and any name looked up in
// them: user, group and a further group are the first three lines.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "fuzz/fuzz.h"
#include "kernel/users.h"

using namespace svd;
using fuzz::require;

namespace {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_{::memfd_create("users", MFD_CLOEXEC)} {
    require(::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

bool is_no_id(std::uint32_t id) { return id == ~0U; }  // "no change" to setresuid(2)

}  // namespace

FUZZ_TARGET(users) {
  fuzz::Input input{bytes};
  const std::string user{input.line()}, group{input.line()}, further{input.line()};
  const auto half = input.until('\0');
  const MemoryFile passwd{half}, groups{input.rest()};
  const Users users{passwd.path(), groups.path()};
  const auto identity =
      users.resolve(user, group, further.empty() ? std::vector<std::string>{} : std::vector{further});
  if (!identity) {
    require(identity.error().stage != StartStage::none && identity.error().err != 0);
    return;
  }
  require(user.empty() || (identity->uid && identity->gid && identity->groups));
  require(!identity->uid || !is_no_id(*identity->uid));
  require(!identity->gid || !is_no_id(*identity->gid));
  if (!identity->groups) return;
  require(std::ranges::is_sorted(*identity->groups) && std::ranges::none_of(*identity->groups, is_no_id));
}
