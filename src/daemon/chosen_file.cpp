// SPDX-License-Identifier: Apache-2.0
#include "daemon/chosen_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace svd {

Result<std::string> read_chosen_file(const std::string& path, std::size_t limit) {
  const auto what = "cannot read '" + path + "'";
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return fail_errno(errno, what);
  struct stat status {};
  if (::fstat(file.get(), &status) < 0) return fail_errno(errno, what);
  if (!S_ISREG(status.st_mode)) return fail(std::errc::invalid_argument, what + ": it is no regular file");
  std::string text;
  for (;;) {
    char buffer[16384];
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, what);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > limit)
      return fail(std::errc::file_too_large, what + ": it has more than " + std::to_string(limit) + " bytes");
  }
}

}  // namespace svd
