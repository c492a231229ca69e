// SPDX-License-Identifier: Apache-2.0
// Lists of system calls as seccomp(2) programs, by libseccomp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace svd {

// Names, and systemd's groups by "@name" (systemd.exec(5), SystemCallFilter=). All of the list is allowed,
// and
// @default with it; anything else ends the process with SIGSYS. With a first "~" the list is what ends it,
// and anything else is allowed. A call of another architecture than this one ends it, too. The result is an
// array of sock_filter. Error invalid_argument: the text is the name that is not known.
enum class Otherwise : std::uint8_t {
  kill,     // what is not allowed ends the process
  unknown,  // it fails with ENOSYS
};
[[nodiscard]] Result<std::string> syscall_filter(const std::vector<std::string>& list,
                                                 Otherwise otherwise = Otherwise::kill);

// The members of a group, which may be groups again; empty: there is none of that name.
[[nodiscard]] std::vector<std::string_view> syscall_group(std::string_view name);

}  // namespace svd
