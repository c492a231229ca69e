// SPDX-License-Identifier: Apache-2.0
// Notices that somebody has removed the runtime directory or what makes it ours (a cleaner of temporary
// files, or the end of a login session, which takes /run/user/UID along). Asks the kernel (inotify(7)): as
// long as nobody does, it costs nothing.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "loop/loop.h"

namespace svd {

class PlaceWatch {
 public:
  // `lost` may be called for nothing: whoever is called looks. Anew: watches the directory that now has that
  // path.
  Result<> arm(const Loop& loop, const std::string& directory, std::function<void()> lost);

 private:
  void drain() const;

  UniqueFd inotify_;
  IoWatch watch_;
};

}  // namespace svd
