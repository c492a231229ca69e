// SPDX-License-Identifier: Apache-2.0
#include "cli/peer.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/unique_fd.h"

namespace svd::cli {
namespace {

std::string user_text(uid_t uid) {
  const auto* const user = ::getpwuid(uid);
  const auto number = "uid " + std::to_string(uid);
  return user == nullptr ? number : "'" + std::string{user->pw_name} + "' (" + number + ")";
}

std::string us(uid_t own) { return own == 0 ? "root" : user_text(own) + " or root"; }

// Group write is for us alone where the group is our own.
bool others_may_write(const struct stat& status, uid_t own) {
  const bool shared = (status.st_mode & S_IWGRP) != 0 && !(own != 0 && status.st_gid == ::getgid());
  return shared || (status.st_mode & S_IWOTH) != 0;
}

Result<> check_one(const std::string& path, uid_t own) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return fail_errno(errno, "cannot look at '" + path + "'");
  if (status.st_uid != 0 && status.st_uid != own)
    return fail(std::errc::operation_not_permitted,
                "'" + path + "' belongs to " + user_text(status.st_uid) + ", not to " + us(own));
  const bool guarded = S_ISLNK(status.st_mode) || (status.st_mode & S_ISVTX) != 0;
  if (guarded || !others_may_write(status, own)) return {};
  return fail(std::errc::operation_not_permitted, "others than " + us(own) + " may write to '" + path + "'");
}

// From the root down, so that each is looked at where nobody can exchange it. ENOENT ends it: what is missing
// will be ours.
Result<> check_each(const std::filesystem::path& path, uid_t own) {
  std::filesystem::path so_far;
  for (const auto& part : path) {
    so_far /= part;
    if (part.empty() || part == ".") continue;
    const auto good = check_one(so_far.string(), own);
    if (!good && good.error().code == std::errc::no_such_file_or_directory) return {};
    SVD_CHECK(good);
  }
  return {};
}

}  // namespace

Result<> check_peer(int socket, const std::string& address, uid_t own) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known =
      ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid != static_cast<uid_t>(-1);
  if (known && (peer.uid == 0 || peer.uid == own)) return {};
  return fail(
      std::errc::operation_not_permitted,
      (known ? "it belongs to " + user_text(peer.uid) : std::string{"it cannot be told whose it is"}) +
          ", and svctl believes only a daemon of " + us(own) +
          ": another one would be sent your files, env_file and pass_env, and could answer anything; if "
          "you trust it: svctl --address '" +
          address + "' …");
}

Result<> check_listener(const std::string& address, uid_t own) {
  constexpr std::string_view prefix = "unix:path=";
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const auto path = address.substr(std::min(prefix.size(), address.size()));
  if (!address.starts_with(prefix) || path.size() >= sizeof to.sun_path) return {};
  std::memcpy(to.sun_path, path.data(), path.size());
  const UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return {};
  return check_peer(fd.get(), address, own);
}

Result<> check_place(const std::string& path, uid_t own) {
  SVD_CHECK(check_each(path, own));
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(path, error);
  if (error)
    return fail(static_cast<std::errc>(error.value()), "cannot look at '" + path + "': " + error.message());
  return check_each(real, own);
}

}  // namespace svd::cli
