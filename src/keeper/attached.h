// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cstdint>

#include "keeper/protocol.h"

namespace svd::keeper {

// The descriptors that came with a message. What nobody takes is closed.
struct Attached {
  int fds[max_attached];
  std::uint32_t count = 0;
  std::uint32_t next = 0;
  Attached() = default;
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  ~Attached() {
    for (std::uint32_t i = 0; i < count; ++i)
      if (fds[i] >= 0) ::close(fds[i]);
  }
  [[nodiscard]] int at(std::uint32_t index) const { return index < count ? fds[index] : -1; }
  int take() {
    if (next >= count) return -1;
    const int fd = fds[next];
    fds[next++] = -1;
    return fd;
  }
};

}  // namespace svd::keeper
