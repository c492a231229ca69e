// SPDX-License-Identifier: Apache-2.0
// Where an instance finds its credentials when it can have no mounts of its own (no CAP_SYS_ADMIN): a
// directory in the runtime directory, which is memory, made for its start and removed with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/hardening.h"
#include "model/names.h"

namespace svd {

class CredentialStore {
 public:
  // `directory` is made with the first use; nobody else may be able to write to where it is.
  explicit CredentialStore(std::string directory) : directory_{std::move(directory)} {}

  // The directory of this start, with all files in it, readable by `owner` alone.
  Result<std::string> put(StartId id, const std::vector<Credential>& credentials, std::uint32_t owner) const;
  void remove(StartId id) const;
  // What starts that are no more have left.
  void keep_only(const std::vector<StartId>& living) const;

  // An existing directory over which each instance with mounts of its own gets its own credentials.
  Result<std::string> mount_point() const;
  // An existing empty file that nobody may read.
  Result<std::string> inaccessible() const;

 private:
  [[nodiscard]] std::string of(StartId id) const {
    return directory_ + "/" + std::to_string(static_cast<std::uint64_t>(id));
  }
  Result<> make() const;

  std::string directory_;
};

}  // namespace svd
