// SPDX-License-Identifier: Apache-2.0
#include "daemon/keeper_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "keeper/protocol.h"

namespace svd {
namespace {

constexpr int longest_wait_ms = 10'000;

}  // namespace

bool is_keeper(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

bool has_served_before(int socket) {
  pollfd ask{socket, POLLIN, 0};
  if (::poll(&ask, 1, longest_wait_ms) <= 0) return false;
  keeper::Hello hello{};
  const auto got = ::recv(socket, &hello, sizeof hello, MSG_PEEK | MSG_DONTWAIT);
  return got == static_cast<ssize_t>(sizeof hello) && hello.header.type == keeper::Type::hello &&
         hello.engines > 0;
}

std::int64_t maker_of(int socket) {
  ucred maker{};
  socklen_t size = sizeof maker;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &maker, &size) == 0 ? maker.pid : 0;
}

void send_quit(int socket, int code, std::string_view sentence) {
  keeper::Quit quit{};
  sentence = sentence.substr(0, std::min<std::size_t>(sentence.size(), 4096));
  quit.header = {keeper::Type::quit, keeper::version, 1};
  quit.code = code;
  quit.text_size = static_cast<std::uint32_t>(sentence.size());
  std::string message(sizeof quit, '\0');
  std::memcpy(message.data(), &quit, sizeof quit);
  message += sentence;
  message.resize((message.size() + 7) / 8 * 8);
  // If this fails there is no keeper, and nobody to tell.
  [[maybe_unused]] const auto sent = ::send(socket, message.data(), message.size(), MSG_NOSIGNAL);
}

}  // namespace svd
