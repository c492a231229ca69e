// SPDX-License-Identifier: Apache-2.0
#include "kernel/steering.h"

#include <sys/socket.h>

#include <cerrno>

namespace svd {
namespace {

constexpr unsigned load_word = BPF_LD | BPF_W | BPF_ABS, load_byte = BPF_LD | BPF_B | BPF_ABS;
constexpr unsigned alu = BPF_ALU | BPF_K;

// Indices `first` to `last`, and how many ready ones are below and including it.
struct Run {
  std::uint32_t first = 0, last = 0;
  std::uint32_t below = 0, through = 0;
};

std::vector<Run> runs_of(std::span<const std::uint32_t> ready) {
  std::vector<Run> runs;
  std::uint32_t count = 0;
  for (const auto index : ready) {
    if (runs.empty() || index != runs.back().last + 1) {
      if (runs.size() == max_runs) break;
      runs.push_back({index, index, count, count});
    }
    runs.back().last = index;
    runs.back().through = ++count;
  }
  return runs;
}

class Program {
 public:
  Program& add(unsigned code, std::uint32_t k = 0, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    code_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, k});
    return *this;
  }

  // A: any number → a ready index, and the end.
  void pick(const std::vector<Run>& runs) {
    add(alu | BPF_MOD, runs.back().through);
    for (const auto& run : runs) {
      if (&run != &runs.back()) add(BPF_JMP | BPF_JGE | BPF_K, run.through, 2, 0);
      add(alu | BPF_ADD, run.first - run.below);
      add(BPF_RET | BPF_A);
    }
  }

  // Whatever is in A comes to differ in all bits where it differed in one.
  Program& mix() {
    for (const auto& [factor, shift] : {std::pair{0x9e3779b1U, 15U}, std::pair{0x85ebca77U, 13U}})
      add(alu | BPF_MUL, factor)
          .add(BPF_MISC | BPF_TAX)
          .add(alu | BPF_RSH, shift)
          .add(BPF_ALU | BPF_XOR | BPF_X);
    return *this;
  }

  // A: a hash of the peer's address. What comes over IPv4 is IPv4 here, also to an IPv6 socket.
  void hash_peer() {
    constexpr std::uint32_t header = static_cast<std::uint32_t>(SKF_NET_OFF);
    constexpr std::uint32_t source4 = header + 12, source6 = header + 8;
    add(load_byte, header).add(alu | BPF_RSH, 4);
    add(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0);
    add(load_word, source4).add(BPF_JMP | BPF_JA, 13);
    add(load_word, source6);
    for (std::uint32_t word = 1; word < 4; ++word)
      add(alu | BPF_MUL, 0x01000193U)
          .add(BPF_MISC | BPF_TAX)
          .add(load_word, source6 + 4 * word)
          .add(BPF_ALU | BPF_XOR | BPF_X);
    mix();
  }

  // A: a hash. Its own index when that is ready, else any ready one.
  void pick_home(const std::vector<Run>& runs, std::uint32_t total) {
    add(BPF_ST, 0).add(alu | BPF_MOD, total);
    auto left = static_cast<std::uint32_t>(runs.size());
    for (const auto& run : runs) {
      --left;
      add(BPF_JMP | BPF_JGT | BPF_K, run.last, 3, 0);
      add(BPF_JMP | BPF_JGE | BPF_K, run.first, 0, 1);
      add(BPF_RET | BPF_A);
      add(BPF_JMP | BPF_JA, 4 * left);
    }
    // The part of the hash that the remainder above did not use.
    add(BPF_LD | BPF_MEM, 0).add(alu | BPF_DIV, total);
    pick(runs);
  }

  std::vector<sock_filter> take() { return std::move(code_); }

 private:
  std::vector<sock_filter> code_;
};

}  // namespace

std::vector<sock_filter> steering_program(Steering how, std::span<const std::uint32_t> ready,
                                          std::uint32_t total) {
  const auto runs = runs_of(ready);
  Program program;
  if (how == Steering::random) {
    program.add(load_word, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM));
    program.pick(runs);
  } else {
    program.hash_peer();
    program.pick_home(runs, total);
  }
  return program.take();
}

Result<> attach_steering(int fd, std::vector<sock_filter>& program) {
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all) < 0)
    return fail_errno(errno, "cannot attach the program that spreads connections");
  return {};
}

}  // namespace svd
