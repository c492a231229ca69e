// SPDX-License-Identifier: Apache-2.0
#include "logtool/cut.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "files/io.h"
#include "files/log_segment.h"
#include "logtool/copy.h"

namespace svd {
namespace {

using Step = CutRecord::Step;

// How far from the end of a cut a block is looked for that ends with a line. With lines of 100 bytes one in a
// hundred does; among these 1,024 one is all but sure to.
constexpr std::uint64_t line_end_window = 4ULL << 20;
constexpr std::uint64_t smallest_surplus = 16ULL << 20;

struct Live {
  UniqueFd fd;
  struct stat about {};
  std::uint64_t block = 4096;
};

std::string quoted(const LogPlace& place) { return "'" + place.base + "'"; }

Result<Live> open_live(const LogPlace& place) {
  Live live;
  auto opened = open_own_at(place.directory.get(), place.base, O_RDWR);
  if (!opened && (opened.error().code == std::errc::too_many_links ||
                  opened.error().code == std::errc::invalid_argument))
    return fail(std::errc::invalid_argument,
                "cannot rotate " + quoted(place) + ": not a regular file of one name");
  if (!opened) return tl::make_unexpected(opened.error());
  live.fd = std::move(*opened);
  struct statvfs system {};
  if (::fstat(live.fd.get(), &live.about) != 0 || ::fstatvfs(live.fd.get(), &system) != 0)
    return fail_errno(errno, "cannot examine " + quoted(place));
  if (system.f_bsize > 0) live.block = system.f_bsize;
  return live;
}

mode_t file_mode(const Live& live) { return live.about.st_mode & 0777; }

// Answers by trying where there is nothing: far behind the end of the file.
bool can_punch(const Live& live) {
  constexpr off_t far = 1LL << 42;
  return ::fallocate(live.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, far,
                     static_cast<off_t>(live.block)) == 0;
}

Result<> save(const LogPlace& place, const Live& live, const CutRecord& record) {
  return write_cut_record(place, record, file_mode(live));
}

// A rotated file looks like the live one to whoever may read it, and tells when its last line was written.
void dress(int fd, const struct stat& like) {
  [[maybe_unused]] const int done =
      ::fchown(fd, like.st_uid, like.st_gid);  // only root can, and only then does it matter
  static_cast<void>(::fchmod(fd, like.st_mode & 0777));
  const timespec times[2] = {like.st_mtim, like.st_mtim};
  static_cast<void>(::futimens(fd, times));
}

// What was copied but never recorded does not count. A plain file beside its compressed form was compressed
// in whole.
Result<> sweep(const LogPlace& place, const CutRecord& record) {
  const int directory = place.directory.get();
  ::unlinkat(directory, part_name(place.base).c_str(), 0);
  SVD_TRY(const auto files, rotated_files(place));
  for (const auto& file : files) {
    if (file.number > record.number) ::unlinkat(directory, file.name.c_str(), 0);
    const auto packed = rotated_name(place.base, file.number, true);
    if (!file.compressed && ::faccessat(directory, packed.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      ::unlinkat(directory, file.number > record.number ? packed.c_str() : file.name.c_str(), 0);
  }
  return {};
}

CutRecord settled(const CutRecord& record, std::uint64_t hole, WallTime now) {
  return {Step::settled, record.start + record.length, hole, record.number + 1, 0, now};
}

Result<> punch(const LogPlace& place, const Live& live, const CutRecord& record) {
  if (::fallocate(live.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(record.hole),
                  static_cast<off_t>(record.length)) == 0)
    return {};
  return fail_errno(errno, "cannot remove the front of " + quoted(place));
}

// True: the front is gone. False: it cannot be done here, or not now; the hole stays until the next cut.
Result<bool> collapse(const LogPlace& place, const Live& live, const CutRecord& record) {
  struct stat now {};
  if (::fstat(live.fd.get(), &now) != 0) return fail_errno(errno, "cannot examine " + quoted(place));
  const auto end = record.hole + record.length;
  const auto size = static_cast<std::uint64_t>(now.st_size);
  if (size < end || first_data(live.fd.get()).value_or(size) < end)
    return true;                  // done before, or truncated by somebody
  if (size == end) return false;  // not up to the very end of the file (fallocate(2))
  if (::fallocate(live.fd.get(), FALLOC_FL_COLLAPSE_RANGE, 0, static_cast<off_t>(end)) == 0) return true;
  if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS) return false;
  return fail_errno(errno, "cannot remove the front of " + quoted(place));
}

// From `copied` to `settled`, from wherever it stands.
Result<CutRecord> advance(const LogPlace& place, const Live& live, CutRecord record,
                          const CutOptions& options) {
  if (record.step == Step::copied) {
    SVD_CHECK(punch(place, live, record));
    options.at("punched");
    record.step = Step::punched;
    SVD_CHECK(save(place, live, record));
    options.at("punch recorded");
  }
  if (record.step == Step::punched) {
    bool gone = false;
    if (options.may_collapse) {
      SVD_TRY(gone, collapse(place, live, record));
    }
    options.at("collapsed");
    record = settled(record, gone ? 0 : record.hole + record.length, options.now);
    SVD_CHECK(save(place, live, record));
    options.at("settled");
  }
  return record;
}

// How much of the front goes: whole blocks, with a line's end as the last byte where one is near.
std::uint64_t choose_length(const Live& live, std::uint64_t offset, std::uint64_t most) {
  const auto length = most - most % live.block;
  const auto lowest = length - std::min(length / 2, line_end_window);
  for (auto end = length; end > lowest && end >= live.block; end -= live.block) {
    char last = 0;
    if (::pread(live.fd.get(), &last, 1, static_cast<off_t>(offset + end - 1)) == 1 && last == '\n')
      return end;
  }
  return length;
}

// Not every file system knows RENAME_NOREPLACE; the lock makes the second way as good.
Result<> rename_new(const LogPlace& place, const std::string& from, const std::string& to) {
  const int directory = place.directory.get();
  if (::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  int err = errno;
  if (err == EINVAL || err == ENOSYS) {
    err = ::faccessat(directory, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? EEXIST : 0;
    if (err == 0 && ::renameat(directory, from.c_str(), directory, to.c_str()) != 0) err = errno;
  }
  if (err == 0) return {};
  return fail_errno(err, "cannot rename '" + from + "' to '" + to + "'");
}

Result<> copy_front(const LogPlace& place, const Live& live, const CutRecord& next,
                    const CutOptions& options) {
  const int directory = place.directory.get();
  const auto part = part_name(place.base);
  SVD_TRY(const auto out, open_at(directory, part, O_WRONLY | O_CREAT | O_EXCL, 0600));
  options.at("copying");
  SVD_CHECK(copy_range({live.fd.get(), next.hole, next.length, out.get(), options.compress}));
  dress(out.get(), live.about);
  options.at("copied");
  const auto name = rotated_name(place.base, next.number + 1, options.compress);
  SVD_CHECK(rename_new(place, part, name));
  options.at("named");
  return {};
}

void prune(const LogPlace& place, std::uint32_t keep) {
  const auto files = rotated_files(place);
  if (!files || files->size() <= keep) return;
  for (std::size_t i = 0; i < files->size() - keep; ++i)
    ::unlinkat(place.directory.get(), (*files)[i].name.c_str(), 0);
}

// How much of the front is dropped at once, since by the end of this rotation nothing of it would be kept: of
// a log that is absurdly long (and may be a hole of a terabyte). 0: it is not.
std::uint64_t surplus(std::uint64_t there, const CutOptions& options) {
  const auto kept = (options.keep + 1ULL) * options.rotate;
  return options.rotate > 0 && there / 4 > kept + smallest_surplus ? there - kept : 0;
}

// One piece. False: there was not enough to cut.
Result<bool> cut_once(const LogPlace& place, Live& live, CutRecord& record, const CutOptions& options) {
  if (::fstat(live.fd.get(), &live.about) != 0) return fail_errno(errno, "cannot examine " + quoted(place));
  const auto size = static_cast<std::uint64_t>(live.about.st_size);
  // Somebody truncated the file: it begins anew.
  if (record.hole > 0 &&
      (size < record.hole || first_data(live.fd.get()).value_or(record.hole) < record.hole))
    record.hole = 0;
  const auto there = size - record.hole;
  if (there < std::max(options.rotate, live.block)) return false;
  auto next = record;
  const auto piece = options.rotate == 0 ? there : std::min(there, options.rotate + live.block - 1);
  const auto dropped = surplus(there, options);
  next.length = choose_length(live, next.hole, dropped > 0 ? dropped : std::min(piece, max_cut));
  next.step = Step::copied;
  // Before, so that the disk never holds more than `keep`.
  prune(place, dropped > 0 ? 0 : std::max(options.keep, 1U) - 1);
  if (options.keep > 0 && dropped == 0) SVD_CHECK(copy_front(place, live, next, options));
  SVD_CHECK(save(place, live, next));
  options.at("copy recorded");
  SVD_TRY(record, advance(place, live, next, options));
  return options.rotate > 0;
}

}  // namespace

Result<> rotate_log(const std::string& path, const CutOptions& options) {
  SVD_TRY(const auto place, open_log_place(path, Links::trusted));
  SVD_TRY(auto live, open_live(place));  // first: a log that is not there needs no lock file
  SVD_TRY(const auto lock, lock_log(place, false));
  SVD_TRY(auto record, read_cut_record(place));
  if (!can_punch(live))
    return fail(std::errc::not_supported,
                "cannot rotate " + quoted(place) + ": its file system cannot remove the front of a file");
  if (record.step != Step::settled) {
    SVD_TRY(record, advance(place, live, record, options));
  }
  SVD_CHECK(sweep(place, record));
  for (;;) {
    const auto more = cut_once(place, live, record, options);
    if (!more) {
      static_cast<void>(sweep(place, record));  // a disk that is full should not stay full of our attempt
      return tl::make_unexpected(more.error());
    }
    if (!*more) return tidy_log(place, options);
  }
}

Result<> settle_log(const LogPlace& place, const CutOptions& options) {
  SVD_TRY(auto record, read_cut_record(place));
  if (record.step != Step::renaming) return {};
  const auto name = rotated_name(place.base, record.number + 1, false);
  const bool done = ::faccessat(place.directory.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  // No live file either: somebody removed it.
  if (auto renamed = done ? Result<>{} : rename_new(place, place.base, name);
      !renamed && renamed.error().code != std::errc::no_such_file_or_directory)
    return renamed;
  options.at("renamed");
  return write_cut_record(place, settled(record, 0, options.now), 0640);
}

Result<> rename_log(const LogPlace& place, const CutOptions& options) {
  SVD_CHECK(settle_log(place, options));
  SVD_TRY(auto record, read_cut_record(place));
  struct stat about {};
  if (::fstatat(place.directory.get(), place.base.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "cannot examine " + quoted(place));
  record.step = Step::renaming;
  record.length = static_cast<std::uint64_t>(about.st_size);
  SVD_CHECK(write_cut_record(place, record, 0640));
  options.at("rename recorded");
  return settle_log(place, options);
}

namespace {

// Under a temporary name first; the lock keeps a second tidier off.
Result<> pack(const LogPlace& place, const RotatedFile& file, const CutOptions& options) {
  const int directory = place.directory.get();
  SVD_TRY(const auto from, open_own_at(directory, file.name, O_RDONLY));
  struct stat about {};
  if (::flock(from.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(from.get(), &about) != 0) return {};
  if (static_cast<std::uint64_t>(about.st_size) > max_rotated) return {};  // none of ours
  const auto part = "." + file.name + ".part";
  ::unlinkat(directory, part.c_str(), 0);
  SVD_TRY(const auto out, open_at(directory, part, O_WRONLY | O_CREAT | O_EXCL, 0600));
  auto done = copy_range({from.get(), 0, static_cast<std::uint64_t>(about.st_size), out.get(), true});
  if (!done) {
    ::unlinkat(directory, part.c_str(), 0);
    return done;
  }
  dress(out.get(), about);
  options.at("packed");
  const auto name = rotated_name(place.base, file.number, true);
  if (::renameat(directory, part.c_str(), directory, name.c_str()) != 0)
    return fail_errno(errno, "cannot make '" + name + "'");
  options.at("pack named");
  ::unlinkat(directory, file.name.c_str(), 0);
  return {};
}

}  // namespace

Result<> tidy_log(const LogPlace& place, const CutOptions& options) {
  prune(place, options.keep);
  if (!options.compress) return {};
  SVD_TRY(const auto files, rotated_files(place));
  for (const auto& file : files)
    if (!file.compressed) SVD_CHECK(pack(place, file, options));
  return {};
}

}  // namespace svd
