// SPDX-License-Identifier: Apache-2.0
// Which socket of an SO_REUSEPORT group gets a new connection or datagram: a classic BPF program that the
// kernel runs for each (socket(7), SO_ATTACH_REUSEPORT_CBPF). No process is asked, and no privilege needed.
// The program answers with an index: sockets are numbered in the order in which they joined the group, and
// one that leaves is replaced by the last one.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace svd {

// random: each of `ready` is as likely. by_peer: the same index for the same peer address as long as that
// one is ready; the peers of one that is not are spread over the others, and come back to it.
enum class Steering : std::uint8_t { random, by_peer };

// `ready`: ascending, not empty, each below `total`. Programs have a bounded length: of more than `max_runs`
// separate ranges of indices the last ones get nothing.
inline constexpr std::size_t max_runs = 200;
[[nodiscard]] std::vector<sock_filter> steering_program(Steering how, std::span<const std::uint32_t> ready,
                                                        std::uint32_t total);

// From now on the group of `fd` is steered by it, in place of a former one.
Result<> attach_steering(int fd, std::vector<sock_filter>& program);

}  // namespace svd
