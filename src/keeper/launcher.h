// SPDX-License-Identifier: Apache-2.0
// A launcher: a fork of the keeper that does one thing, again and again: it is told of a start, gives birth
// to a child of the keeper's (spawn.h), and answers when that has executed its program or failed. Whatever a
// child waits for on its way (a lease on its program, a mount whose server does not answer, a SIGSTOP of its
// own user) suspends its launcher alone; what the keeper does about it is in births.cpp.
//
// A launcher is forked early, when the keeper has touched little memory, and shares nearly all pages with it.
// It has no other descriptor than 0 to 2 and its socket, and ends with it.
#pragma once

#include "keeper/options.h"
#include "keeper/spawn.h"

namespace svd::keeper {

// One datagram to a launcher; the record follows. Its descriptors: the file of the record, the cgroup, the
// log, and what is passed, each where there is one, in this order.
struct Order {
  enum class Kind : std::uint32_t { record, file, engine };  // engine: of the keeper's options, no record
  Kind kind;
  std::uint32_t missing;  // Missing, as far as the keeper knows
};
inline constexpr std::uint32_t max_handed = max_passed + 3;

struct Reply {
  Born born;
  std::uint32_t missing;
};

// The other end of the socket. Never returns.
[[noreturn]] void run_launcher(int socket, const Nursery& nursery, const Options& options);

}  // namespace svd::keeper
