// SPDX-License-Identifier: Apache-2.0
#include "keeper/log.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace svd::keeper {
namespace {

void put(const char* line, int size) noexcept {
  if (size <= 0) return;
  // A full pipe or a terminal that was halted loses the line: the keeper has more important duties. Where
  // there is room at all there is room for a line (PIPE_BUF).
  pollfd state{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&state, 1, 0) == 0) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line, static_cast<std::size_t>(size));
}

}  // namespace

void note(const char* what, int err) noexcept {
  char line[512];
  const int size = err == 0 ? std::snprintf(line, sizeof line, "svd: %s\n", what)
                            : std::snprintf(line, sizeof line, "svd: %s: %s\n", what, strerrordesc_np(err));
  put(line, size < static_cast<int>(sizeof line) ? size : static_cast<int>(sizeof line) - 1);
}

void note_number(const char* what, long number) noexcept {
  char line[256];
  const int size = std::snprintf(line, sizeof line, "svd: %s %ld\n", what, number);
  put(line, size < static_cast<int>(sizeof line) ? size : static_cast<int>(sizeof line) - 1);
}

}  // namespace svd::keeper
