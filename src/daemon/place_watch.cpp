// SPDX-License-Identifier: Apache-2.0
#include "daemon/place_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace svd {

Result<> PlaceWatch::arm(const Loop& loop, const std::string& directory, std::function<void()> lost) {
  watch_.disarm();
  inotify_ = UniqueFd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!inotify_) return fail_errno(errno, "cannot watch '" + directory + "'");
  // The end of a file system that was unmounted (IN_UNMOUNT) is told unasked.
  constexpr auto gone = IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (::inotify_add_watch(inotify_.get(), directory.c_str(), gone) < 0)
    return fail_errno(errno, "cannot watch '" + directory + "'");
  return watch_.arm(loop, inotify_.get(), EPOLLIN, Priority::client,
                    [this, lost = std::move(lost)](std::uint32_t) {
                      drain();
                      lost();
                    });
}

void PlaceWatch::drain() const {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) continue;
}

}  // namespace svd
