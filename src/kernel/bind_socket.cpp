// SPDX-License-Identifier: Apache-2.0
#include "kernel/bind_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "files/trusted_path.h"
#include "kernel/acting_as.h"

namespace svd {
namespace {

using Kind = Listener::Kind;
using Failed = std::optional<BindFailure>;

std::string words(int err) { return std::generic_category().message(err); }
BindFailure failure(int err) { return {err, words(err)}; }
tl::unexpected<BindFailure> fail_with(int err) { return tl::make_unexpected(failure(err)); }

int type_of(Kind kind) {
  switch (kind) {
    case Kind::tcp:
    case Kind::unix_stream:
      return SOCK_STREAM;
    case Kind::udp:
    case Kind::unix_datagram:
      return SOCK_DGRAM;
    case Kind::unix_seqpacket:
      return SOCK_SEQPACKET;
  }
  return SOCK_STREAM;
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

// Numeric, so nobody is asked. `text` empty: every address of the family.
tl::expected<Address, BindFailure> inet_address(int family, const std::string& text, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int err =
      ::getaddrinfo(text.empty() ? nullptr : text.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (err != 0) return tl::make_unexpected(BindFailure{EADDRNOTAVAIL, ::gai_strerror(err)});
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{list, ::freeaddrinfo};
  Address address;
  std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
  address.size = list->ai_addrlen;
  return address;
}

tl::expected<Address, BindFailure> unix_address(const std::string& text) {
  Address address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
  if (text.size() > sizeof un.sun_path - 1)
    return tl::make_unexpected(BindFailure{ENAMETOOLONG, "its path is longer than 107 bytes"});
  un.sun_family = AF_UNIX;
  text.copy(un.sun_path, text.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
  if (text.starts_with('@'))
    un.sun_path[0] = '\0';
  else
    ++address.size;  // the terminator belongs to a path
  return address;
}

Failed set(int fd, int level, int option, int value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return std::nullopt;
  const int err = errno;
  return BindFailure{err, std::string{"setting "} + what + ": " + words(err)};
}

struct Option {
  int level, option, value;
  const char* what;
};
// The first one that the kernel refuses; what is off already is not set, so that nobody needs to know it.
template <std::size_t Size>
Failed set_all(int fd, const Option (&options)[Size]) {
  for (const auto& [level, option, value, what] : options) {
    int present = -1;
    socklen_t size = sizeof present;
    if (value == 0 && (::getsockopt(fd, level, option, &present, &size) < 0 || present == 0)) continue;
    if (auto failed = set(fd, level, option, value, what)) return failed;
  }
  return std::nullopt;
}

Failed set_before_bind(int fd, int family, const BindRequest& request) {
  const auto& l = request.listener;
  const int share = request.in_group || l.reuse_port ? 1 : 0;
  const Option options[] = {
      // Connections of a former socket that linger in TIME_WAIT are no obstacle.
      {SOL_SOCKET, SO_REUSEADDR, l.kind == Kind::tcp ? 1 : 0, "SO_REUSEADDR"},
      {SOL_SOCKET, SO_REUSEPORT, share, "reuse_port"},
      {IPPROTO_IP, IP_FREEBIND, l.freebind ? 1 : 0, "freebind"},
  };
  if (auto failed = set_all(fd, options)) return failed;
  if (family != AF_INET6) return std::nullopt;
  // The host may have another default.
  return set(fd, IPPROTO_IPV6, IPV6_V6ONLY, l.v6only ? 1 : 0, "v6only");
}

UniqueFd make_socket(int family, const BindRequest& request) {
  return UniqueFd{::socket(
      family, type_of(request.listener.kind) | SOCK_CLOEXEC | (request.blocking ? 0 : SOCK_NONBLOCK), 0)};
}

tl::expected<UniqueFd, BindFailure> bind_inet_family(const BindRequest& request, int family) {
  const auto& l = request.listener;
  const auto address = inet_address(family, l.address, l.port);
  if (!address) return tl::make_unexpected(address.error());
  UniqueFd fd = make_socket(address->family(), request);
  if (!fd) return fail_with(errno);
  if (auto failed = set_before_bind(fd.get(), address->family(), request))
    return tl::make_unexpected(*failed);
  if (auto failed = apply_sharing(fd.get(), request)) return tl::make_unexpected(*failed);
  if (is_reserved(l) && l.kind == Kind::udp) return fd;
  if (::bind(fd.get(), address->get(), address->size) < 0) return fail_with(errno);
  return fd;
}

// Without an address: all of them, by one IPv6 socket that takes IPv4 as well where there is IPv6.
tl::expected<UniqueFd, BindFailure> bind_inet(const BindRequest& request) {
  if (!request.listener.address.empty()) return bind_inet_family(request, AF_UNSPEC);
  auto both = bind_inet_family(request, AF_INET6);
  if (both || (both.error().err != EAFNOSUPPORT && both.error().err != EADDRNOTAVAIL)) return both;
  return bind_inet_family(request, AF_INET);
}

BindFailure cannot_make_file(const std::string& path, int err) {
  const auto directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
  struct stat found {};
  if (err == ENOENT && ::stat(directory.c_str(), &found) < 0)
    return {err, "the directory " + directory + " does not exist"};
  return failure(err);
}

BindFailure cannot_go_there(const std::string& path, const Error& why) {
  const int err = static_cast<int>(why.code);
  return err == ENOENT || err == ENOTDIR ? cannot_make_file(path, err) : BindFailure{err, why.text};
}

// Where a unix socket's file is to be made, and as whom. Where nobody else can change what is on the way, by
// its path and as we are. Else what somebody exchanges there must not lead us to what is not his: it is done
// with the rights of the user that the socket is for; or, if that is our own, by a descriptor of the
// directory.
class Ground {
 public:
  explicit Ground(const BindRequest& request) : path_{request.listener.address} {
    if (!is_path(request.listener)) return;
    auto place = place_of(path_, walk::Links::judged);
    if (place && place->say.none()) return;
    ours_ = false;
    const auto uid = request.uid.value_or(::geteuid());
    if (!walk::is_trusted(uid))
      acting_.emplace(uid, request.gid.value_or(::getegid()), request.groups);
    else if (place)
      enter(std::move(*place));
    else
      refused_ = cannot_go_there(path_, place.error());
    if (acting_ && !acting_->works()) refused_ = BindFailure{EPERM, "acting as its user: " + words(EPERM)};
  }
  // Born there as it is meant to be, a file is not changed afterwards: it may be another one by then.
  [[nodiscard]] bool ours() const { return ours_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Failed& refused() const { return refused_; }

 private:
  void enter(PlaceOf place) {
    struct stat about {};
    if (::fstat(place.directory.get(), &about) < 0 ||
        !walk::they_may(place.say, about, walk::may_write | walk::may_search))
      refused_ = BindFailure{EACCES, "somebody who may not make it there can change where its path leads"};
    directory_ = std::move(place.directory);
    path_ = "/proc/self/fd/" + std::to_string(directory_.get()) + "/" + place.name;
  }
  std::string path_;
  bool ours_ = true;
  UniqueFd directory_;
  std::optional<ActingAs> acting_;
  Failed refused_;
};

// Whether anybody answers at a socket's file. It takes no more than a look: nothing is sent.
bool is_alive(const Address& address, int type) {
  const UniqueFd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  return !fd || ::connect(fd.get(), address.get(), address.size) == 0 || errno != ECONNREFUSED;
}

// What is at the path goes, if it is a socket's file that somebody left.
Failed clear_path(const std::string& path, const Address& address, int type) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0) return std::nullopt;
  if (!S_ISSOCK(found.st_mode))
    return BindFailure{EEXIST, "there is something else than a socket at this path"};
  if (is_alive(address, type)) return failure(EADDRINUSE);
  if (::unlink(path.c_str()) < 0) {
    const int err = errno;
    return BindFailure{err, "removing the socket that somebody left: " + words(err)};
  }
  return std::nullopt;
}

// The file is born with the mode of the socket's own inode, less the umask.
int bind_with_mode(int fd, const Address& address) {
  const mode_t mask = ::umask(0);
  const int err = ::bind(fd, address.get(), address.size) < 0 ? errno : 0;
  ::umask(mask);
  return err;
}

tl::expected<UniqueFd, BindFailure> bind_unix(const BindRequest& request) {
  const auto& l = request.listener;
  UniqueFd fd = make_socket(AF_UNIX, request);
  if (!fd) return fail_with(errno);
  ::fchmod(fd.get(), static_cast<mode_t>(l.mode));  // while it is ours
  const Ground ground{request};
  if (ground.refused()) return tl::make_unexpected(*ground.refused());
  const auto address = unix_address(ground.path());
  if (!address) return tl::make_unexpected(address.error());
  int err = bind_with_mode(fd.get(), *address);
  if (err == EADDRINUSE && is_path(l)) {
    if (auto failed = clear_path(ground.path(), *address, type_of(l.kind)))
      return tl::make_unexpected(*failed);
    err = bind_with_mode(fd.get(), *address);
  }
  if (err != 0) return tl::make_unexpected(cannot_make_file(l.address, err));
  if (!ground.ours()) return fd;
  if (auto failed = apply_file(request)) {
    if (is_path(l)) remove_socket_file(l.address, 0);
    return tl::make_unexpected(*failed);
  }
  return fd;
}

std::uint64_t mark_of(const struct stat& found) {
  return S_ISSOCK(found.st_mode) ? (std::uint64_t{found.st_dev} << 40U) ^ found.st_ino : 0;
}

}  // namespace

void remove_socket_file(const std::string& path, std::uint64_t mark) {
  const auto place = place_of(path, walk::Links::judged);
  struct stat found {};
  if (!place || ::fstatat(place->directory.get(), place->name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0 ||
      !S_ISSOCK(found.st_mode) || (mark != 0 ? mark != mark_of(found) : !place->say.none()))
    return;
  ::unlinkat(place->directory.get(), place->name.c_str(), 0);
}

bool is_unix(const Listener& listener) { return listener.kind != Kind::tcp && listener.kind != Kind::udp; }
bool is_path(const Listener& listener) { return is_unix(listener) && !listener.address.starts_with('@'); }
bool is_stream(const Listener& listener) {
  return listener.kind != Kind::udp && listener.kind != Kind::unix_datagram;
}
bool is_reserved(const Listener& listener) {
  return listener.reuse_port && listener.balance == Listener::Balance::shared;
}

std::string address_text(const Listener& l) {
  if (is_unix(l)) return "unix " + l.address;
  const bool v6 = l.address.find(':') != std::string::npos;
  const auto host = l.address.empty() ? "*" : v6 ? "[" + l.address + "]" : l.address;
  return (l.kind == Kind::tcp ? "tcp " : "udp ") + host + ":" + std::to_string(l.port);
}

std::uint64_t file_mark(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) < 0 ? 0 : mark_of(found);
}

tl::expected<UniqueFd, BindFailure> bind_socket(const BindRequest& request) {
  auto fd = is_unix(request.listener) ? bind_unix(request) : bind_inet(request);
  if (!fd) return fd;
  if (auto failed = apply_options(fd->get(), request)) {
    if (is_path(request.listener)) remove_socket_file(request.listener.address, 0);
    return tl::make_unexpected(*failed);
  }
  return fd;
}

std::optional<BindFailure> find_taken(const Listener& listener) {
  Listener alone = listener;
  alone.reuse_port = false;  // else it would share, or not even be bound
  const auto fd = bind_inet({.listener = alone});
  if (fd) return std::nullopt;
  return fd.error();
}

std::optional<BindFailure> apply_options(int fd, const BindRequest& request) {
  const auto& l = request.listener;
  if (!is_unix(l)) {
    const Option shared[] = {
        {SOL_SOCKET, SO_REUSEPORT, request.in_group || l.reuse_port ? 1 : 0, "reuse_port"}};
    if (auto failed = set_all(fd, shared)) return failed;
  }
  if (l.kind == Kind::tcp) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(l.defer_accept).count();
    const Option options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, l.keepalive ? 1 : 0, "keepalive"},
        {IPPROTO_TCP, TCP_NODELAY, l.nodelay ? 1 : 0, "nodelay"},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, static_cast<int>(seconds), "defer_accept"},
        {IPPROTO_TCP, TCP_FASTOPEN, static_cast<int>(l.fast_open), "fast_open"},
    };
    if (auto failed = set_all(fd, options)) return failed;
  }
  if (!is_stream(l) || is_reserved(l)) return std::nullopt;
  if (::listen(fd, static_cast<int>(std::min<std::uint32_t>(l.backlog, 0x7fffffff))) < 0)
    return failure(errno);
  return std::nullopt;
}

// It is decided by the user that the sockets belong to.
std::optional<BindFailure> apply_sharing(int fd, const BindRequest& request) {
  struct stat found {};
  if (!is_reserved(request.listener) || !request.uid || ::fstat(fd, &found) < 0 ||
      found.st_uid == *request.uid || ::fchown(fd, *request.uid, static_cast<gid_t>(-1)) == 0)
    return std::nullopt;
  return failure(errno);
}

// By a descriptor of the file itself, so that nothing that is put in its place meanwhile gets a new owner.
std::optional<BindFailure> apply_file(const BindRequest& request) {
  const auto& l = request.listener;
  if (!is_path(l)) return std::nullopt;
  const auto failed = [](const char* what, int err) {
    return BindFailure{err, std::string{"setting its "} + what + ": " + words(err)};
  };
  const Ground ground{request};
  if (ground.refused()) return ground.refused();
  const UniqueFd file{::open(ground.path().c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat found {};
  if (!file || ::fstat(file.get(), &found) < 0) return failure(errno);
  if (!S_ISSOCK(found.st_mode)) return failure(ENOTSOCK);
  const uid_t uid = request.uid.value_or(found.st_uid);
  const gid_t gid = request.gid.value_or(found.st_gid);
  // With our own rights we would change whatever somebody has put there.
  if (!ground.ours() && walk::is_trusted(uid)) return std::nullopt;
  if ((uid != found.st_uid || gid != found.st_gid) && ::fchownat(file.get(), "", uid, gid, AT_EMPTY_PATH) < 0)
    return failed("owner", errno);
  const auto mode = static_cast<mode_t>(l.mode & 07777U);
  if ((found.st_mode & 07777U) == mode) return std::nullopt;
  const auto link = "/proc/self/fd/" + std::to_string(file.get());
  if (::chmod(link.c_str(), mode) < 0) return failed("mode", errno);
  return std::nullopt;
}

}  // namespace svd
