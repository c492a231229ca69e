// SPDX-License-Identifier: Apache-2.0
#include "kernel/open_as.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace svd {
namespace {

using Type = ipc::Query::Type;

constexpr std::uint32_t flag_v6only = 1, flag_reuse = 4;  // of Node's listen() and bind()

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

Result<UniqueFd> open_inet(const ipc::Query& query) {
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

// The file is born with its mode, that of the socket's own inode less the umask: a path could be anybody's by
// the time of a chmod(2).
mode_t mode_of(const ipc::Query& query, const Given& given) {
  return (0777U & ~given.umask) | (query.readable_all ? 0444U : 0U) | (query.writable_all ? 0222U : 0U);
}

Result<UniqueFd> open_path(const ipc::Query& query, const Given& given) {
  auto socket = make_socket(AF_UNIX, SOCK_STREAM);
  ::umask(0);
  if (!socket || ::fchmod(socket.get(), mode_of(query, given)) < 0) return cannot_bind(errno);
  sockaddr_un address{};
  UniqueFd directory;
  if (!fit_path(*query.address, directory, address)) return cannot_bind(errno);
  const auto bind = [&] {
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  if (!bind() && (errno != EADDRINUSE || !is_left_over(address) || ::unlink(address.sun_path) < 0 || !bind()))
    return cannot_bind(errno);
  return socket;
}

Result<UniqueFd> open_abstract(const std::string& name) {
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

bool is_path(const ipc::Query& query) {
  return query.type == Type::unix_stream && query.address.value_or("").starts_with('/');
}

Result<UniqueFd> open_socket(const ipc::Query& query, const Given& given) {
  if (query.type != Type::unix_stream) return open_inet(query);
  const auto& path = query.address.value_or("");
  if (path.starts_with('@')) return open_abstract(path);
  if (!path.starts_with('/') || path.find('\0') != path.npos) return cannot_bind(EINVAL);
  if (given.own_mounts) return cannot_bind(EPERM);
  return open_path(query, given);
}

Deputy::Report report_of(Result<UniqueFd> opened) {
  if (!opened) return {static_cast<int>(opened.error().code), {}};
  return {0, std::move(*opened)};
}

Deputy::Report remove_path(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
  return {};
}

}  // namespace

void SocketOpener::open(ipc::Query query, Given given, Done done) {
  add({std::move(query), std::move(given), std::move(done)});
}

void SocketOpener::remove(OpenedPath opened) {
  auto given = opened.given;
  add({std::move(opened), std::move(given)});
}

void SocketOpener::add(Job job) {
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) begin();
}

void SocketOpener::begin() {
  const auto& job = jobs_.front();
  const auto* const query = std::get_if<ipc::Query>(&job.what);
  const Deputy::Task task = [&job, query] {
    return query != nullptr ? report_of(open_socket(*query, job.given))
                            : remove_path(std::get<OpenedPath>(job.what).path);
  };
  deputy_ = std::make_unique<Deputy>();
  const auto started = deputy_->start(loop_, job.given, task, [this](Deputy::Report report) {
    const auto former = std::move(deputy_);  // it is the one who calls
    finish(std::move(report));
  });
  if (!started) finish({static_cast<int>(started.error().code), {}});
}

void SocketOpener::finish(Deputy::Report report) {
  const auto job = std::move(jobs_.front());
  jobs_.pop_front();
  const auto* const query = std::get_if<ipc::Query>(&job.what);
  if (!jobs_.empty()) begin();
  if (query == nullptr || !job.done) return;
  if (report.err != 0) return job.done(cannot_bind(report.err));
  job.done(Opened{std::move(report.fd), is_path(*query) ? *query->address : std::string{}});
}

}  // namespace svd
