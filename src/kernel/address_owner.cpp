// SPDX-License-Identifier: Apache-2.0
#include "kernel/address_owner.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "kernel/bind_socket.h"

namespace svd {
namespace {

using Bytes = std::array<unsigned char, 16>;  // an IPv6 address; IPv4 is mapped into it

constexpr unsigned tcp_listen = 0x0a;

std::string read_all(const std::string& path) {
  std::ifstream file{path};
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Bytes mapped(const unsigned char* four) {
  Bytes bytes{};
  bytes[10] = bytes[11] = 0xff;
  std::copy_n(four, 4, bytes.begin() + 12);
  return bytes;
}

std::optional<Bytes> parse_address(const std::string& text) {
  Bytes bytes{};
  const auto numeric = text.substr(0, text.find('%'));
  if (::inet_pton(AF_INET6, numeric.c_str(), bytes.data()) == 1) return bytes;
  std::array<unsigned char, 4> four{};
  if (::inet_pton(AF_INET, numeric.c_str(), four.data()) == 1) return mapped(four.data());
  return std::nullopt;
}

bool is_v4(const Bytes& bytes) {
  return std::equal(bytes.begin(), bytes.begin() + 12, mapped(bytes.data() + 12).begin());
}
bool is_any(const Bytes& bytes) {
  const auto from = bytes.begin() + (is_v4(bytes) ? 12 : 0);
  return std::all_of(from, bytes.end(), [](unsigned char byte) { return byte == 0; });
}

// The table has words of 32 bits in the order of this machine.
std::optional<Bytes> parse_table_address(const std::string& hex) {
  Bytes bytes{};
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  for (std::size_t word = 0; word < hex.size() / 8; ++word) {
    const auto value = static_cast<std::uint32_t>(std::strtoul(hex.substr(word * 8, 8).c_str(), nullptr, 16));
    std::memcpy(bytes.data() + word * 4, &value, sizeof value);
  }
  return hex.size() == 8 ? mapped(bytes.data()) : bytes;
}

// An address for all is in the way of every other of its family; the one of IPv6 may take IPv4, too, which
// the table does not tell.
bool overlaps(const Bytes& theirs, const std::string& wanted) {
  const auto ours = parse_address(wanted);
  if (!ours || is_any(*ours)) return true;
  return theirs == *ours || (is_any(theirs) && (is_v4(theirs) == is_v4(*ours) || !is_v4(theirs)));
}

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

bool has_one_of(const std::string& fds, const std::vector<std::string>& links) {
  const Directory directory{::opendir(fds.c_str()), ::closedir};
  while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
    std::array<char, 64> target{};
    const auto path = fds + "/" + entry->d_name;
    if (::readlink(path.c_str(), target.data(), target.size() - 1) <= 0) continue;
    if (std::ranges::find(links, target.data()) != links.end()) return true;
  }
  return false;
}

// The first one: a master comes before its workers.
std::string find_process(const std::vector<std::string>& links) {
  const Directory proc{::opendir("/proc"), ::closedir};
  std::vector<long> pids;
  while (const dirent* const entry = proc ? ::readdir(proc.get()) : nullptr)
    if (const long pid = std::strtol(entry->d_name, nullptr, 10); pid > 0) pids.push_back(pid);
  std::ranges::sort(pids);
  for (const long pid : pids) {
    const auto directory = "/proc/" + std::to_string(pid);
    if (!has_one_of(directory + "/fd", links)) continue;
    auto name = read_all(directory + "/comm");
    if (name.ends_with('\n')) name.pop_back();
    return name + " (pid " + std::to_string(pid) + ")";
  }
  return "";
}

std::vector<SocketEntry> find_sockets(const Listener& listener) {
  if (is_unix(listener)) return find_in_unix_table(read_all("/proc/net/unix"), listener.address);
  const std::string table = listener.kind == Listener::Kind::tcp ? "/proc/net/tcp" : "/proc/net/udp";
  auto found = find_in_inet_table(read_all(table), listener);
  const auto more = find_in_inet_table(read_all(table + "6"), listener);
  found.insert(found.end(), more.begin(), more.end());
  return found;
}

}  // namespace

// sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode …
std::vector<SocketEntry> find_in_inet_table(const std::string& table, const Listener& listener) {
  std::vector<SocketEntry> found;
  std::istringstream lines{table};
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream words{line};
    std::string slot, local, remote, state, skip;
    SocketEntry entry;
    if (!(words >> slot >> local >> remote >> state >> skip >> skip >> skip >> entry.uid >> skip >>
          entry.inode))
      continue;
    const auto colon = local.find(':');
    if (colon == std::string::npos || std::strtoul(local.c_str() + colon + 1, nullptr, 16) != listener.port)
      continue;
    if (listener.kind == Listener::Kind::tcp && std::strtoul(state.c_str(), nullptr, 16) != tcp_listen)
      continue;
    const auto address = parse_table_address(local.substr(0, colon));
    if (address && overlaps(*address, listener.address)) found.push_back(entry);
  }
  return found;
}

// Num: RefCount Protocol Flags Type St Inode Path
std::vector<SocketEntry> find_in_unix_table(const std::string& table, const std::string& address) {
  std::vector<SocketEntry> found;
  std::istringstream lines{table};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string skip, path;
    SocketEntry entry;
    for (int i = 0; i < 6; ++i) words >> skip;
    if (words >> entry.inode && std::getline(words >> std::ws, path) && path == address)
      found.push_back(entry);
  }
  return found;
}

std::string address_owner(const Listener& listener) {
  const auto sockets = find_sockets(listener);
  if (sockets.empty()) return "";
  std::vector<std::string> links;
  for (const auto& socket : sockets) links.push_back("socket:[" + std::to_string(socket.inode) + "]");
  if (auto process = find_process(links); !process.empty()) return process;
  return is_unix(listener) ? "" : "a process of user " + std::to_string(sockets.front().uid);
}

}  // namespace svd
