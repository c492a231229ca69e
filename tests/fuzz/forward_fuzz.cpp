// SPDX-License-Identifier: Apache-2.0
// What an app writes, on its way to journald with fields: nothing in it becomes a field of an entry, and the
// messages are its lines.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "logtool/journal.h"

using namespace svd;
using fuzz::require;

namespace {

constexpr std::string_view field = "SVD_APP=web";
constexpr std::size_t most_lines = 8;  // the kernel queues ten datagrams at least

UniqueFd listen_at(const std::string& path) {
  UniqueFd socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  require(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  require(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

std::string_view few_lines(std::string_view bytes) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < most_lines && at != std::string_view::npos; ++i)
    at = bytes.find('\n', at == 0 ? 0 : at + 1);
  return bytes.substr(0, at);
}

// Without its priority; "" for one that is not sent.
std::string_view message_of(std::string_view line) {
  const bool has_priority =
      line.size() >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>';
  return has_priority ? line.substr(3) : line;
}

std::vector<std::string> messages_in(std::string_view text) {
  std::vector<std::string> all;
  for (fuzz::Input lines{text}; !lines.empty();)
    if (const auto message = message_of(lines.line()); !message.empty()) all.emplace_back(message);
  return all;
}

// Takes an entry of journald's native protocol apart: three fields of known names and no other.
std::string read_entry(std::string_view entry) {
  fuzz::Input input{entry};
  require(input.line() == field);
  const auto priority = input.line();
  require(priority.size() == 10 && priority.starts_with("PRIORITY=") && priority[9] >= '0' &&
          priority[9] <= '7');
  require(input.line() == "MESSAGE");
  const auto size = input.number<std::uint64_t>();
  require(input.rest().size() == size + 1 && input.rest().back() == '\n');
  return std::string{input.rest().substr(0, size)};
}

}  // namespace

FUZZ_TARGET(forward) {
  static const fuzz::Scratch scratch;
  static const auto path = scratch.path() + "/journal";
  static const auto socket = listen_at(path);
  const auto text = few_lines(bytes);
  const UniqueFd input{::memfd_create("app", MFD_CLOEXEC)};
  require(::write(input.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
          ::lseek(input.get(), 0, SEEK_SET) == 0);
  require(write_journal(input.get(), path, {std::string{field}}).has_value());
  std::vector<std::string> got;
  std::array<char, 8192> entry{};
  for (ssize_t n = 0; (n = ::recv(socket.get(), entry.data(), entry.size(), 0)) >= 0;)
    got.push_back(read_entry({entry.data(), static_cast<std::size_t>(n)}));
  require(got == messages_in(text));
}
