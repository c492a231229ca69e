// SPDX-License-Identifier: Apache-2.0
#include "kernel/open_as.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "kernel/proc.h"

namespace svd {
namespace {

using Type = ipc::Query::Type;

constexpr unsigned cap_net_bind_service = 10;
constexpr std::uint32_t flag_v6only = 1, flag_reuse = 4;  // of Node's listen() and bind()

// What a process may do.
struct Rights {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> groups;
  std::uint64_t capabilities = 0;
  mode_t umask = 022;
};

std::string_view field(std::string_view status, std::string_view name) {
  const auto at = status.find(name);
  if (at == status.npos) return {};
  const auto begin = at + name.size();
  return status.substr(begin, status.find('\n', begin) - begin);
}

std::vector<std::uint64_t> numbers(std::string_view text, int base = 10) {
  std::vector<std::uint64_t> found;
  for (auto at = text.begin(); at != text.end();) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(&*at, text.data() + text.size(), number, base);
    if (read.ec == std::errc{}) found.push_back(number);
    at += std::max<std::ptrdiff_t>(read.ptr - &*at, 1);
  }
  return found;
}

std::optional<Rights> rights_of(std::int64_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto uids = numbers(field(status, "\nUid:")), gids = numbers(field(status, "\nGid:"));
  const auto capabilities = numbers(field(status, "\nCapEff:"), 16),
             umask = numbers(field(status, "\nUmask:"), 8);
  if (uids.size() < 4 || gids.size() < 4 || capabilities.empty()) return std::nullopt;
  Rights rights;
  rights.uid = static_cast<std::uint32_t>(uids[3]);  // of the file system
  rights.gid = static_cast<std::uint32_t>(gids[3]);
  for (const auto group : numbers(field(status, "\nGroups:")))
    rights.groups.push_back(static_cast<std::uint32_t>(group));
  rights.capabilities = capabilities[0];
  if (!umask.empty()) rights.umask = static_cast<mode_t>(umask[0]);
  return rights;
}

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat first {
  }, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// What `what` is for the process is the same for us: a namespace, or the root directory.
bool shares(std::int64_t pid, const char* what) {
  return is_same_file("/proc/" + std::to_string(pid) + "/" + what, std::string{"/proc/self/"} + what);
}

std::uint64_t first_free_port() {
  const auto found = numbers(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start"));
  return found.empty() ? 1024 : found[0];
}

// The file system sees the program's user and groups, and its umask, as long as this lives. setfsuid(2) takes
// root's rights over files away with it and gives them back.
class ActingAs {
 public:
  explicit ActingAs(const Rights& rights) : umask_{::umask(rights.umask)} {
    if (::geteuid() != 0) return;
    groups_.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    groups_.resize(
        static_cast<std::size_t>(std::max(::getgroups(static_cast<int>(groups_.size()), groups_.data()), 0)));
    // Raw: the wrapper of libc would tell all threads.
    ::syscall(SYS_setgroups, rights.groups.size(), rights.groups.data());
    ::setfsgid(rights.gid);
    ::setfsuid(rights.uid);
    changed_ = true;
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs() {
    ::umask(umask_);
    if (!changed_) return;
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
    ::syscall(SYS_setgroups, groups_.size(), groups_.data());
  }

 private:
  mode_t umask_;
  std::vector<gid_t> groups_;
  bool changed_ = false;
};

tl::unexpected<Error> cannot_bind(int err) { return fail_errno(err, "cannot bind"); }

UniqueFd make_socket(int family, int type) {
  return UniqueFd{::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

void switch_on(const UniqueFd& socket, int level, int option, int value = 1) {
  ::setsockopt(socket.get(), level, option, &value, sizeof value);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

bool parse_address(const std::string& text, std::int64_t port, int family, Address& out) {
  const auto wire_port = ::htons(static_cast<std::uint16_t>(port));
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = wire_port;
    out.size = sizeof v4;
    return text.empty() || ::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = wire_port;
  out.size = sizeof v6;
  // fe80::1%eth0: what is behind the % names the interface, as a rule by its number.
  const auto percent = text.find('%');
  if (percent != text.npos)
    std::from_chars(text.data() + percent + 1, text.data() + text.size(), v6.sin6_scope_id);
  return text.empty() || ::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6.sin6_addr) == 1;
}

Result<UniqueFd> bind_inet(const ipc::Query& query, int family, int type, bool v6only) {
  Address address;
  if (!parse_address(query.address.value_or(""), query.port, family, address)) return cannot_bind(EINVAL);
  auto socket = make_socket(family, type);
  if (!socket) return cannot_bind(errno);
  if (type == SOCK_STREAM || (query.flags & flag_reuse) != 0) switch_on(socket, SOL_SOCKET, SO_REUSEADDR);
  if (family == AF_INET6) switch_on(socket, IPPROTO_IPV6, IPV6_V6ONLY, v6only ? 1 : 0);
  if (::bind(socket.get(), address.get(), address.size) < 0) return cannot_bind(errno);
  return socket;
}

Result<UniqueFd> open_inet(const ipc::Query& query, const Rights& rights, std::int64_t pid) {
  if (!shares(pid, "ns/net")) return cannot_bind(EPERM);
  const bool may = (rights.capabilities >> cap_net_bind_service & 1U) != 0 && shares(pid, "ns/user");
  if (query.port != 0 && static_cast<std::uint64_t>(query.port) < first_free_port() && !may)
    return cannot_bind(EACCES);
  const bool v6only = (query.flags & flag_v6only) != 0;
  if (query.type == Type::udp4) return bind_inet(query, AF_INET, SOCK_DGRAM, false);
  if (query.type == Type::udp6) return bind_inet(query, AF_INET6, SOCK_DGRAM, v6only);
  if (query.address)
    return bind_inet(query, query.type == Type::tcp6 ? AF_INET6 : AF_INET, SOCK_STREAM, v6only);
  // Without an address: both families, or the older one where there is no other.
  auto both = bind_inet(query, AF_INET6, SOCK_STREAM, false);
  if (both || (both.error().code != std::errc::address_family_not_supported &&
               both.error().code != std::errc::address_not_available))
    return both;
  return bind_inet(query, AF_INET, SOCK_STREAM, false);
}

// `path` as it fits into sun_path; a longer one by way of its directory, which has to stay open.
bool fit_path(const std::string& path, UniqueFd& directory, sockaddr_un& out) {
  std::string short_path = path;
  if (path.size() >= sizeof out.sun_path) {
    const auto slash = path.rfind('/');
    directory = UniqueFd{::open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return false;
    short_path = "/proc/self/fd/" + std::to_string(directory.get()) + path.substr(slash);
  }
  errno = ENAMETOOLONG;
  if (short_path.size() >= sizeof out.sun_path) return false;
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, short_path.c_str(), short_path.size() + 1);
  return true;
}

// A socket that nobody listens on: left by a program that was killed. (To connect to what is no socket is
// refused, too.)
bool is_left_over(const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(address.sun_path, &status) < 0 || !S_ISSOCK(status.st_mode)) return false;
  const auto probe = make_socket(AF_UNIX, SOCK_STREAM);
  return probe && ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
         errno == ECONNREFUSED;
}

Result<UniqueFd> open_path(const ipc::Query& query, const Rights& rights, std::int64_t pid) {
  if (!shares(pid, "ns/mnt") || !shares(pid, "root")) return cannot_bind(EPERM);
  auto socket = make_socket(AF_UNIX, SOCK_STREAM);
  if (!socket) return cannot_bind(errno);
  const ActingAs acting{rights};
  sockaddr_un address{};
  UniqueFd directory;
  if (!fit_path(*query.address, directory, address)) return cannot_bind(errno);
  const auto bind = [&] {
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  if (!bind() && (errno != EADDRINUSE || !is_left_over(address) || ::unlink(address.sun_path) < 0 || !bind()))
    return cannot_bind(errno);
  struct stat status {};
  if ((query.readable_all || query.writable_all) && ::stat(address.sun_path, &status) == 0)
    ::chmod(address.sun_path,
            (status.st_mode & 0777) | (query.readable_all ? 0444U : 0U) | (query.writable_all ? 0222U : 0U));
  return socket;
}

Result<UniqueFd> open_abstract(const std::string& name, std::int64_t pid) {
  if (!shares(pid, "ns/net")) return cannot_bind(EPERM);
  sockaddr_un address{};
  if (name.size() > sizeof address.sun_path) return cannot_bind(ENAMETOOLONG);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);  // its first byte is NUL, not '@'
  auto socket = make_socket(AF_UNIX, SOCK_STREAM);
  if (!socket) return cannot_bind(errno);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0) return cannot_bind(errno);
  return socket;
}

Result<UniqueFd> open_socket(const ipc::Query& query, const Rights& rights, std::int64_t pid) {
  if (query.type != Type::unix_stream) return open_inet(query, rights, pid);
  const auto& path = query.address.value_or("");
  if (path.starts_with('@')) return open_abstract(path, pid);
  if (!path.starts_with('/') || path.find('\0') != path.npos) return cannot_bind(EINVAL);
  return open_path(query, rights, pid);
}

}  // namespace

Result<OpenedAs> open_as(const ipc::Query& query, std::int64_t pid) {
  const auto rights = rights_of(pid);
  if (!rights) return cannot_bind(ESRCH);
  OpenedAs opened{{}, {}, rights->uid, rights->gid};
  SVD_TRY(opened.fd, open_socket(query, *rights, pid));
  if (query.type == Type::unix_stream && query.address->starts_with('/')) opened.path = *query.address;
  return opened;
}

void remove_as(const OpenedAs& opened) {
  if (opened.path.empty()) return;
  Rights rights;
  rights.uid = opened.uid;
  rights.gid = opened.gid;
  const ActingAs acting{rights};
  struct stat status {};
  if (::lstat(opened.path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(opened.path.c_str());
}

}  // namespace svd
