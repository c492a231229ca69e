// SPDX-License-Identifier: Apache-2.0
// $LISTEN_FDNAMES taken apart (sd_listen_fds_with_names(3)). Pure.
#pragma once

#include <cstdint>

namespace svd::keeper {

// Up to the next ':', which goes, too, with "%3A" and the like turned back, behind passed_prefix. `out` has
// room for max_name bytes. Its size; 0 where the name is empty or too long to be one of ours.
std::uint32_t take_fd_name(const char*& from, char* out);

}  // namespace svd::keeper
