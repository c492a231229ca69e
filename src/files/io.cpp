// SPDX-License-Identifier: Apache-2.0
#include "files/io.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "files/trusted_path.h"

namespace svd {

Result<UniqueFd> open_at(int directory, const std::string& name, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0) return UniqueFd{fd};
    if (errno != EINTR) return fail_errno(errno, "cannot open '" + name + "'");
  }
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_all(int fd, const std::string& name, std::size_t limit) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return fail_errno(errno, "cannot read '" + name + "'");
  std::string bytes;
  for (;;) {
    const auto had = bytes.size();
    const auto rest = std::max<std::size_t>(static_cast<std::size_t>(about.st_size), had) - had;
    const auto want =
        std::min(limit, had + rest) - had + 1;  // one more than there should be: tells the end, or too much
    bytes.resize(had + want);
    const auto n = ::read(fd, bytes.data() + had, want);
    const int err = errno;
    bytes.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && err == EINTR) continue;
    if (n < 0) return fail_errno(err, "cannot read '" + name + "'");
    if (n == 0) return bytes;
    if (bytes.size() > limit)
      return fail(std::errc::file_too_large,
                  "cannot read '" + name + "': it has more than " + std::to_string(limit) + " bytes");
  }
}

Result<UniqueFd> open_regular_at(int directory, const std::string& name, int flags, mode_t mode) {
  // Not blocking, so that a fifo in the place of the file cannot hold us up before it is refused.
  SVD_TRY(auto fd, open_at(directory, name, flags | O_NONBLOCK | O_NOCTTY, mode));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return fail_errno(errno, "cannot open '" + name + "'");
  if (!S_ISREG(about.st_mode))
    return fail(std::errc::invalid_argument, "cannot open '" + name + "': not a regular file");
  return fd;
}

Result<UniqueFd> open_own_at(int directory, const std::string& name, int flags, mode_t mode) {
  SVD_TRY(auto fd, open_regular_at(directory, name, flags, mode));
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0 || about.st_nlink != 1)
    return fail(std::errc::too_many_links, "cannot open '" + name + "': the file has a second name");
  return fd;
}

Result<std::string> read_file_at(int directory, const std::string& name, std::size_t limit) {
  SVD_TRY(const auto fd, open_regular_at(directory, name, O_RDONLY));
  return read_all(fd.get(), name, limit);
}

namespace {

Result<> fill_temporary(int fd, const AtomicWrite& what, std::string_view bytes) {
  if (::fchmod(fd, what.mode) != 0) return fail_errno(errno, "cannot set the mode of '" + what.temp + "'");
  if (auto done = write_all(fd, bytes); !done)
    return fail_errno(static_cast<int>(done.error().code), "cannot write '" + what.name + "'");
  // Without this the data may still be without blocks when the rename is committed: an empty file after a
  // power cut. ext4 does the same by itself, but not for an exchange (ext4(5), auto_da_alloc).
  ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  return {};
}

}  // namespace

Result<UniqueFd> stage_file_at(int directory, const AtomicWrite& what, std::string_view bytes) {
  ::unlinkat(directory, what.temp.c_str(), 0);
  SVD_TRY(auto fd, open_at(directory, what.temp, O_WRONLY | O_CREAT | O_EXCL, what.mode));
  const auto done = fill_temporary(fd.get(), what, bytes);
  if (done) return fd;
  ::unlinkat(directory, what.temp.c_str(), 0);
  return tl::make_unexpected(done.error());
}

Result<> sync_file(int fd, const std::string& name) {
  if (::fsync(fd) == 0) return {};
  return fail_errno(errno, "cannot write '" + name + "' to the disk");
}

Result<> write_file_at(int directory, const AtomicWrite& what, std::string_view bytes) {
  SVD_TRY(const auto fd, stage_file_at(directory, what, bytes));
  auto done = what.durability == Durability::synced ? sync_file(fd.get(), what.name) : Result<>{};
  if (done && ::renameat(directory, what.temp.c_str(), directory, what.name.c_str()) != 0)
    done = fail_errno(errno, "cannot replace '" + what.name + "'");
  if (!done) {
    ::unlinkat(directory, what.temp.c_str(), 0);
    return done;
  }
  return what.durability == Durability::synced ? sync_file(directory, "the directory of " + what.name)
                                               : Result<>{};
}

Result<> make_directories(const std::string& path, mode_t mode) {
  SVD_TRY(const auto made, make_trusted_directory(path, mode));
  return {};
}

Result<std::vector<std::string>> list_directory(int directory) {
  // A descriptor of its own: reading moves the position, which dup() would share.
  SVD_TRY(auto fd, open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(fd.get()), &::closedir};
  if (!stream) return fail_errno(errno, "cannot list a directory");
  static_cast<void>(fd.release());  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const auto* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return fail_errno(errno, "cannot list a directory");
    if (entry == nullptr) return names;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

PathParts split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace svd
