// SPDX-License-Identifier: Apache-2.0
// A directory for a daemon that is to leave no trace. It is removed by its owner, or, however that one ends
// (SIGKILL, a third Ctrl-C), by a process that waits for nothing else: it is removed when its owner and the
// daemon are gone.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace svd::cli {

class TemporaryHome {
 public:
  // A new directory in `parent`, for us alone.
  static Result<TemporaryHome> make(const std::string& parent);
  TemporaryHome(TemporaryHome&& other) noexcept;
  TemporaryHome& operator=(TemporaryHome&&) = delete;
  ~TemporaryHome();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // This process lives there: as long as it does, nobody but we ourselves removes the directory.
  void belongs_to(pid_t daemon) const;

 private:
  TemporaryHome(std::string path, pid_t warden, UniqueFd line);

  std::string path_;  // empty: moved from
  pid_t warden_ = 0;
  UniqueFd line_;  // to the warden, who takes its end for ours
};

}  // namespace svd::cli
