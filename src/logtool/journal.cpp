// SPDX-License-Identifier: Apache-2.0
#include "logtool/journal.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace svd {
namespace {

constexpr std::size_t longest = 128U << 10;  // fits into a datagram whatever net.core.wmem_max says
constexpr std::size_t chunk = 64U << 10;

static_assert(std::endian::native == std::endian::little, "sizes in journald's protocol are little-endian");

class Journal {
 public:
  Journal(const std::string& socket, const std::vector<std::string>& fields) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, socket.data(), socket.size());
    for (const auto& field : fields) fields_ += field + '\n';
  }

  // A line, or a piece of one that goes on.
  void send(std::string_view line, bool continues) {
    if (!std::exchange(inside_, continues)) {
      priority_ = '6';
      if (line.size() >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>') {
        priority_ = line[1];
        line.remove_prefix(3);
      }
      if (line.empty()) return;
    }
    // The size goes before the message: it may hold any byte.
    const std::uint64_t size = line.size();
    std::array<char, sizeof size> bytes{};
    std::memcpy(bytes.data(), &size, sizeof size);
    entry_ = fields_;
    if (continues) entry_ += "SVD_CONTINUES=1\n";
    entry_.append("PRIORITY=").append(1, priority_).append("\nMESSAGE\n");
    entry_.append(bytes.data(), bytes.size()).append(line).append(1, '\n');
    if (deliver()) {
      complained_ = false;
    } else if (!std::exchange(complained_, true)) {
      std::fprintf(stderr, "logtool: cannot write to journald at '%s': %s\n", address_.sun_path,
                   std::strerror(errno));
    }
  }

 private:
  // Connected anew once: another journald has another socket.
  bool deliver() {
    for (const bool last : {false, true}) {
      if (!socket_ && !connect()) return false;
      ssize_t sent = 0;
      do sent = ::send(socket_.get(), entry_.data(), entry_.size(), MSG_NOSIGNAL);
      while (sent < 0 && errno == EINTR);
      if (sent >= 0) return true;
      if (last) return false;
      socket_.reset();
    }
    return false;
  }
  bool connect() {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket_) return false;
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0)
      return true;
    const int err = errno;
    socket_.reset();
    errno = err;
    return false;
  }

  sockaddr_un address_{};
  std::string fields_, entry_;
  UniqueFd socket_;
  char priority_ = '6';
  bool inside_ = false;  // of a line whose beginning was sent
  bool complained_ = false;
};

}  // namespace

Result<> write_journal(int input, const std::string& socket, const std::vector<std::string>& fields) {
  if (socket.size() >= sizeof(sockaddr_un::sun_path))
    return fail(std::errc::filename_too_long, "cannot connect to journald at '" + socket + "'");
  Journal journal{socket, fields};
  std::vector<char> buffer(chunk);
  std::string rest;  // the beginning of a line
  for (;;) {
    const auto n = ::read(input, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read from the app");
    rest.append(buffer.data(), static_cast<std::size_t>(n));
    std::string_view left = rest;
    for (auto end = left.find('\n'); end != std::string_view::npos || left.size() > longest;
         end = left.find('\n')) {
      const auto length = std::min(end, longest);
      journal.send(left.substr(0, length), length < end);
      left.remove_prefix(length < end ? length : length + 1);
    }
    if (n == 0) {
      journal.send(left, false);
      return {};
    }
    rest.erase(0, rest.size() - left.size());
  }
}

}  // namespace svd
