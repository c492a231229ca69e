// SPDX-License-Identifier: Apache-2.0
#include "logtool/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "base/text.h"
#include "files/io.h"

namespace svd {
namespace {

constexpr std::size_t chunk = 256U << 10;
constexpr timespec breath{0, 1'000'000};
constexpr std::uint64_t patience =
    1U << 20;  // how much longer than `rotate` a file may get for the sake of a whole line

WallTime wall_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000};
}

class Writer {
 public:
  Writer(LogPlace place, const WriterOptions& options) : place_{std::move(place)}, options_{options} {}

  // A full disk ends nothing: what cannot be written is lost, as it would be to an app that writes to the
  // file itself and does not look at the result; the app goes on, and so do its later lines.
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto done = append_some(bytes);
      if (done) {
        complained_ = false;
        continue;
      }
      if (!std::exchange(complained_, true))
        std::fprintf(stderr, "logtool: %s\n", printable(done.error().text).c_str());
      return;
    }
  }

 private:
  Result<> append_some(std::string_view& bytes) {
    SVD_TRY(const auto lock, lock_log(place_, true));
    SVD_CHECK(settle_log(place_, options_.cut));  // somebody may have died while he renamed
    SVD_CHECK(open_live());
    return append_locked(bytes);
  }

  // The file of that name: another writer may have renamed ours.
  Result<> open_live() {
    struct stat have {
    }, named{};
    if (live_ && ::fstat(live_.get(), &have) == 0 &&
        ::fstatat(place_.directory.get(), place_.base.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        named.st_ino == have.st_ino && named.st_dev == have.st_dev && have.st_nlink == 1) {
      size_ = static_cast<std::uint64_t>(have.st_size);
      return {};
    }
    live_.reset();  // what is refused below must not be written to either
    SVD_TRY(live_,
            open_own_at(place_.directory.get(), place_.base, O_WRONLY | O_APPEND | O_CREAT, options_.mode));
    if (::fstat(live_.get(), &have) != 0) return fail_errno(errno, "cannot examine '" + place_.base + "'");
    size_ = static_cast<std::uint64_t>(have.st_size);
    return {};
  }

  Result<bool> too_old() const {
    if (options_.max_age.count() == 0 || size_ == 0) return false;
    SVD_TRY(const auto record, read_cut_record(place_));
    struct statx about {};
    if (::statx(live_.get(), "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &about) != 0) return false;
    const auto& birth = (about.stx_mask & STATX_BTIME) != 0 ? about.stx_btime : about.stx_mtime;
    const auto born = std::max(record.cut.micros, static_cast<std::int64_t>(birth.tv_sec) * 1'000'000);
    return wall_now().micros - born >= options_.max_age.count() * 1000;
  }

  // Takes what it wrote off the front of `bytes`.
  Result<> append_locked(std::string_view& bytes) {
    SVD_TRY(const bool old, too_old());
    const auto limit = options_.cut.rotate;
    const bool full = limit > 0 && size_ + bytes.size() > limit;
    auto take = bytes.size();
    if (full || old) {
      // Up to the first line end from where the file is full; nothing at all when it ends with a line now.
      const auto room = old || size_ >= limit ? 0 : static_cast<std::size_t>(limit - size_);
      if (room > 0 || !ends_line_) {
        const auto end = bytes.find('\n', room > 0 ? room - 1 : 0);
        if (end != std::string_view::npos) take = end + 1;
      } else {
        take = 0;
      }
    }
    SVD_CHECK(write_all(live_.get(), bytes.substr(0, take)));
    if (take > 0) ends_line_ = bytes[take - 1] == '\n';
    bytes.remove_prefix(take);
    size_ += take;
    const bool enough = limit > 0 && size_ >= limit;
    if (!(enough || old || (full && take == 0)) || size_ == 0) return {};
    if (!ends_line_ && size_ < std::max(limit, patience) + patience) return {};
    return rotate();
  }

  Result<> rotate() {
    auto cut = options_.cut;
    cut.now = wall_now();
    auto done = rename_log(place_, cut);
    live_.reset();
    SVD_CHECK(done);
    if (::fork() == 0) ::_exit(tidy_log(place_, cut) ? 0 : 1);
    return {};
  }

  LogPlace place_;
  WriterOptions options_;
  UniqueFd live_;
  std::uint64_t size_ = 0;
  bool ends_line_ = true;
  bool complained_ = false;
};

}  // namespace

Result<> write_log(int input, const std::string& path, const WriterOptions& options) {
  SVD_TRY(auto place, open_log_place(path, Links::trusted));
  struct sigaction reap {};
  reap.sa_handler = SIG_DFL;
  reap.sa_flags = SA_NOCLDWAIT;  // nobody asks how a compression ended: the next one does what was left
  ::sigaction(SIGCHLD, &reap, nullptr);
  Writer writer{std::move(place), options};
  std::vector<char> buffer(chunk);
  for (;;) {
    const auto n = ::read(input, buffer.data(), buffer.size());
    if (n == 0) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "cannot read from the app");
    writer.append({buffer.data(), static_cast<std::size_t>(n)});
    // A busy app fills the pipe meanwhile: few large writes instead of many small ones, at a tenth of the
    // CPU.
    if (static_cast<std::size_t>(n) < chunk / 4) ::nanosleep(&breath, nullptr);
  }
}

}  // namespace svd
