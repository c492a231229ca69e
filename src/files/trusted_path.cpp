// SPDX-License-Identifier: Apache-2.0
#include "files/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "files/io.h"

namespace svd {
namespace {

using walk::Blame;

std::string name_of(const walk::Say& say) {
  if (say.anybody) return "anybody";
  if (say.user) return "uid " + std::to_string(say.uid);
  return "group " + std::to_string(say.gid);
}

// Why the walk ended at a component, in words; empty: errno says it.
std::string reason(const walk::Found& found) {
  const auto name = "'" + std::string{found.name} + "'";
  switch (found.blame) {
    case Blame::link:
      return name + " is a symbolic link that somebody else made";
    case Blame::way:
      return name_of(found.say) + " can change where this path leads and may not search " + name;
    case Blame::file:
      return name_of(found.say) + " can change where this path leads and may not read " + name +
             ": let them read it, or put it where only root can write";
    case Blame::kind:
      return "it is no regular file";
    case Blame::names:
      return "the file has a second name";
    case Blame::nothing:
      break;
  }
  return "";
}

bool is_directory(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
}

Result<UniqueFd> walk_to(const std::string& path, walk::Want want, walk::Links links, walk::Found& found,
                         const std::string& what) {
  const int opened =
      path.find('\0') == std::string::npos ? walk::open_path(path.c_str(), want, links, found) : -EINVAL;
  if (opened >= 0) return UniqueFd{opened};
  const auto why = reason(found);
  if (why.empty()) return fail_errno(-opened, what);
  return fail(static_cast<std::errc>(-opened), what + ": " + why);
}

}  // namespace

int open_trusted_directory(const std::string& path) {
  walk::Found found;
  const int fd = walk::open_path(path.c_str(), walk::Want::directory, walk::Links::trusted, found);
  if (fd >= 0) return fd;
  errno = -fd;
  return -1;
}

Result<struct stat> find_trusted(const std::string& path) {
  walk::Found found;
  const auto what = "cannot find '" + path + "'";
  SVD_TRY(const auto fd, walk_to(path, walk::Want::object, walk::Links::trusted, found, what));
  struct stat about {};
  if (::fstat(fd.get(), &about) < 0) return fail_errno(errno, what);
  return about;
}

Result<UniqueFd> open_chosen_file(const std::string& path) {
  walk::Found found;
  return walk_to(path, walk::Want::read, walk::Links::judged, found, "cannot read '" + path + "'");
}

Result<std::string> read_chosen_file(const std::string& path, std::size_t limit) {
  SVD_TRY(const auto file, open_chosen_file(path));
  return read_all(file.get(), path, limit);
}

Result<UniqueFd> open_trusted_log(const std::string& path) {
  walk::Found found;
  return walk_to(path, walk::Want::append, walk::Links::trusted, found,
                 "cannot open the log file '" + path + "'");
}

Result<UniqueFd> open_unshared_directory(const std::string& path) {
  walk::Found found;
  const auto what = "cannot use the directory '" + path + "'";
  SVD_TRY(auto directory, walk_to(path, walk::Want::directory, walk::Links::judged, found, what));
  if (found.say.none()) return directory;
  return fail(std::errc::permission_denied,
              what + ": " + name_of(found.say) + " can put another one in its place");
}

Result<PlaceOf> place_of(const std::string& path, walk::Links links) {
  walk::Found found;
  SVD_TRY(auto directory, walk_to(path, walk::Want::parent, links, found, "cannot find '" + path + "'"));
  return PlaceOf{std::move(directory), found.name, found.say};
}

Result<UniqueFd> make_trusted_directory(const std::string& path, mode_t mode) {
  const auto what = "cannot make the directory '" + path + "'";
  walk::Found found;
  auto there = walk_to(path, walk::Want::object, walk::Links::trusted, found, what);
  if (there && !is_directory(there->get())) return fail_errno(ENOTDIR, what);
  if (there || there.error().code != std::errc::no_such_file_or_directory) return there;
  const auto end = path.find_last_not_of('/');
  const auto parts = split_path(path.substr(0, end == std::string::npos ? 0 : end + 1));
  if (parts.directory == path || parts.name.empty()) return there;
  SVD_TRY(const auto above, make_trusted_directory(parts.directory, mode));
  if (::mkdirat(above.get(), parts.name.c_str(), mode) != 0 && errno != EEXIST)
    return fail_errno(errno, what);
  return walk_to(path, walk::Want::object, walk::Links::trusted, found, what);
}

}  // namespace svd
