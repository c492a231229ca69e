// SPDX-License-Identifier: Apache-2.0
#include "kernel/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

namespace svd {
namespace {

Result<> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) < 0 && errno != EEXIST)
    return fail_errno(errno, "cannot make '" + path + "'");
  return {};
}

Result<> write_file(const std::string& path, const std::string& content, std::uint32_t owner) {
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0)};
  const auto size = static_cast<ssize_t>(content.size());
  if (!file || ::write(file.get(), content.data(), content.size()) != size ||
      (owner != ::geteuid() && ::fchown(file.get(), owner, static_cast<gid_t>(-1)) < 0) ||
      ::fchmod(file.get(), 0400) < 0)
    return fail_errno(errno, "cannot write '" + path + "'");
  return {};
}

}  // namespace

Result<> CredentialStore::make() const {
  if (directory_.empty())
    return fail(std::errc::not_supported, "cannot place credentials: no runtime directory");
  return make_directory(directory_,
                        0711);  // who knows a name inside may pass; each directory there is its owner's
}

Result<std::string> CredentialStore::put(StartId id, const std::vector<Credential>& credentials,
                                         std::uint32_t owner) const {
  SVD_CHECK(make());
  const auto path = of(id);
  SVD_CHECK(make_directory(path, 0700));
  for (const auto& [name, content] : credentials) SVD_CHECK(write_file(path + "/" + name, content, owner));
  if (owner != ::geteuid() && ::chown(path.c_str(), owner, static_cast<gid_t>(-1)) < 0)
    return fail_errno(errno, "cannot give away '" + path + "'");
  return path;
}

void CredentialStore::remove(StartId id) const {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(of(id), ignored);
}

void CredentialStore::keep_only(const std::vector<StartId>& living) const {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{directory_, ignored}) {
    const auto name = entry.path().filename().string();
    std::uint64_t id = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
    if (parsed.ec != std::errc{} || parsed.ptr != name.data() + name.size()) continue;
    if (std::ranges::find(living, StartId{id}) == living.end()) remove(StartId{id});
  }
}

Result<std::string> CredentialStore::mount_point() const {
  SVD_CHECK(make());
  SVD_CHECK(make_directory(directory_ + "/own", 0755));
  return directory_ + "/own";
}

Result<std::string> CredentialStore::inaccessible() const {
  SVD_CHECK(make());
  const auto path = directory_ + "/inaccessible";
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0)};
  if (!file && errno != EACCES) return fail_errno(errno, "cannot make '" + path + "'");
  return path;
}

}  // namespace svd
