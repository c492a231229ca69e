// SPDX-License-Identifier: Apache-2.0
// The supervisor's end of one channel: bytes and descriptors, to and from a spool that outlives the engine.
//
// Out. A line is written whole or not at all, as long as the socket's buffer can take it at once: an engine
// that is killed leaves no half line behind, at worst one that its successor writes a second time. What does
// not fit waits in the spool, with a duplicate of the descriptor that goes with it. In. What was read is in
// the spool before it counts as read. Descriptors that came are handed out in their order; they die with the
// engine, and their line, which the next engine finds, is then answered so that Node sends them again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"
#include "ipc/spool.h"

namespace svd {

class ChannelLink {
 public:
  enum class Got : std::uint8_t { bytes, nothing, closed };

  // `socket` is not blocking. The spools are its memory's.
  ChannelLink(UniqueFd socket, ipc::Spool& in, ipc::Spool& out);

  // A pair with the buffers that this end wants, neither of them blocking; the first one is ours.
  static std::optional<std::pair<UniqueFd, UniqueFd>> make_pair();

  // Once, for what an engine before us left to be written: `find` gives the descriptor (borrowed, -1: none)
  // for a line.
  void take_over(const std::function<int(std::string_view line)>& find);

  // Reads at most `most` bytes into the spool.
  Got read(std::size_t most);
  [[nodiscard]] UniqueFd take_fd();  // of the line that came with it; empty: none did
  void put_back(UniqueFd fd) { arrived_.push_front(std::move(fd)); }
  void drop_fds() { arrived_.clear(); }
  [[nodiscard]] std::size_t arrived() const { return arrived_.size(); }

  // Queues a line (with its line feed) and `fd` (borrowed, -1: none); flush() sends it. False: there is no
  // room.
  bool write(std::string_view line, int fd = -1);
  // blocked: EPOLLOUT tells when more can be sent. later: nothing tells (too many descriptors are on their
  // way).
  enum class Flushed : std::uint8_t { all, blocked, later, closed };
  Flushed flush();

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] std::size_t unsent() const { return out_.size(); }
  [[nodiscard]] std::size_t unsent_fds() const { return attached_.size(); }
  // So much was ever sent.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  struct Attached {
    std::uint64_t at;  // of its line's first byte, counted as sent_
    UniqueFd fd;
  };
  [[nodiscard]] std::string_view next_piece() const;
  Flushed send_piece(std::string_view piece, int fd);  // all: it was sent
  [[nodiscard]] bool fits(std::size_t size) const;

  UniqueFd socket_;
  ipc::Spool& in_;
  ipc::Spool& out_;
  std::uint64_t sent_ = 0;
  std::size_t buffer_ = 0;  // of the socket, in the kernel's way of counting
  std::deque<Attached> attached_;
  std::deque<UniqueFd> arrived_;
};

}  // namespace svd
