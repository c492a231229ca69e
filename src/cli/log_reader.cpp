// SPDX-License-Identifier: Apache-2.0
#include "cli/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <queue>
#include <set>

#include "cli/log_lines.h"
#include "files/io.h"

namespace svd::cli {
namespace {

constexpr int partial_patience = 500;  // milliseconds until a line without an end is shown as it is
constexpr int journal_quiet = 200;     // milliseconds without news after which all has arrived in the journal
constexpr unsigned lines_between_looks = 512;  // at `stop`
constexpr std::string_view journal_prefix = "journal:";

class Reader {
 public:
  Reader(const LogQuery& query, const LogSink& sink) : query_{query}, sink_{sink} {}

  Result<> open(const std::vector<LogSource>& sources) {
    raise_file_limit(2 * sources.size() + 64);
    if (query_.follow) {
      // Before the first look at the files: what changes after it is heard of.
      inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
      if (!inotify_) return fail_errno(errno, "cannot watch log files");
    }
    std::vector<JournalInstance> in_journal;
    std::set<std::string> paths;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto& where = sources[i].where;
      if (where.starts_with(journal_prefix))
        in_journal.push_back({where.substr(journal_prefix.size()), i, sources[i].trust});
      if (!where.starts_with('/') || !paths.insert(where).second) continue;
      if (query_.follow) watch(where, files_.size());
      SVD_TRY(auto lines, FileLines::open(where, i, query_));
      files_.push_back(lines.get());
      all_.push_back(std::move(lines));
    }
    if (in_journal.empty()) return {};
    SVD_TRY(auto journal, JournalSource::open(in_journal, query_));
    journal_ = journal.get();
    all_.push_back(std::move(journal));
    return {};
  }

  Result<> run() {
    std::vector<LineSource*> everything;
    for (const auto& source : all_) everything.push_back(source.get());
    SVD_CHECK(merge(everything));
    if (!query_.follow)
      for (auto* source : everything) give_partial(*source);
    give_last_lines();
    if (!query_.follow || ended_) return {};
    for (auto* source : everything) source->begin_following();
    SVD_CHECK(merge(everything));
    while (!ended_) SVD_CHECK(wait());
    return {};
  }

 private:
  // Each log costs two descriptors.
  static void raise_file_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  // All that the sources have, in the order of time.
  Result<> merge(const std::vector<LineSource*>& sources) {
    struct Head {
      OwnedLine line;
      std::size_t source = 0;
    };
    const auto later = [](const Head& a, const Head& b) {
      return std::tie(a.line.key, a.source) > std::tie(b.line.key, b.source);
    };
    std::vector<Head> heads;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      Head head;
      head.source = i;
      SVD_TRY(const bool there, sources[i]->next(head.line));
      if (there) heads.push_back(std::move(head));
    }
    std::ranges::make_heap(heads, later);
    for (unsigned count = 1; !heads.empty() && !ended_; ++count) {
      std::ranges::pop_heap(heads, later);
      give(heads.back().line);
      SVD_TRY(const bool there, sources[heads.back().source]->next(heads.back().line));
      if (there)
        std::ranges::push_heap(heads, later);
      else
        heads.pop_back();
      if (count % lines_between_looks == 0 && stop_is_asked(0)) ended_ = true;
    }
    return {};
  }

  void give(OwnedLine& line) {
    if (query_.lines && !query_.each &&
        !last_lines_given_) {  // only the last ones count: which these are is known at the end
      last_lines_.push_back(std::move(line));
      if (last_lines_.size() > *query_.lines) last_lines_.pop_front();
      return;
    }
    if (!sink_({line.kind, line.source, line.when, line.text, line.complete})) ended_ = true;
  }

  void give_last_lines() {
    last_lines_given_ = true;
    for (auto& line : last_lines_)
      if (!ended_) give(line);
    last_lines_.clear();
  }

  void give_partial(LineSource& source) {
    OwnedLine line;
    while (!ended_ && source.flush(line)) give(line);
  }

  [[nodiscard]] bool stop_is_asked(int timeout) const {
    pollfd stop{query_.stop, POLLIN, 0};
    return query_.stop >= 0 && !query_.finish && ::poll(&stop, 1, timeout) > 0;
  }

  // The file itself for writes to it; its directory for what appears and is renamed there; while that is
  // missing, the nearest directory above it. Both calls are harmless when the watch exists.
  void watch(const std::string& path, std::size_t index) {
    constexpr std::uint32_t changes = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR;
    auto directory = split_path(path).directory;
    int above = ::inotify_add_watch(inotify_.get(), directory.c_str(), changes);
    while (above < 0 && errno == ENOENT && directory != "/") {
      directory = split_path(directory).directory;
      above = ::inotify_add_watch(inotify_.get(), directory.c_str(), changes);
    }
    if (above >= 0) above_[above].insert(index);
    if (const int file = ::inotify_add_watch(inotify_.get(), path.c_str(), IN_MODIFY); file >= 0)
      written_[file] = index;
  }

  // The logs that something happened to. Many writes since the last call are one entry here.
  std::set<std::size_t> read_inotify() {
    alignas(inotify_event) std::array<char, 65536> buffer;
    std::set<std::size_t> touched, renamed;
    for (;;) {
      const auto n = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      for (ssize_t at = 0; at < n;) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof event);
        at += static_cast<ssize_t>(sizeof event + event.len);
        if ((event.mask & IN_Q_OVERFLOW) != 0)
          for (std::size_t i = 0; i < files_.size(); ++i) renamed.insert(i);
        if (const auto file = written_.find(event.wd); file != written_.end()) touched.insert(file->second);
        if (const auto some = above_.find(event.wd); some != above_.end())
          renamed.insert(some->second.begin(), some->second.end());
      }
    }
    for (const auto index : renamed) watch(files_[index]->path(), index);
    touched.insert(renamed.begin(), renamed.end());
    return touched;
  }

  Result<> wait() {
    const auto journal = journal_ != nullptr ? journal_->wait() : JournalWait{};
    std::array<pollfd, 3> fds{
        {{query_.stop, POLLIN, 0}, {inotify_.get(), POLLIN, 0}, {journal.fd, journal.events, 0}}};
    const bool partial =
        std::ranges::any_of(all_, [](const auto& source) { return source->holds_partial(); });
    const int n = ::poll(fds.data(), fds.size(), partial ? partial_patience : journal.timeout);
    if (n < 0 && errno != EINTR) return fail_errno(errno, "cannot wait for log lines");
    if (fds[0].revents != 0 && query_.finish) return finish();
    if (fds[0].revents != 0) ended_ = true;
    std::vector<LineSource*> ready;
    if (fds[1].revents != 0)
      for (const auto index : read_inotify()) ready.push_back(files_[index]);
    if (journal_ != nullptr && (fds[2].revents != 0 || (n == 0 && journal.timeout >= 0))) {
      journal_->process();
      ready.push_back(journal_);
    }
    if (n == 0 && partial)
      for (const auto& source : all_) give_partial(*source);
    return merge(ready);
  }

  // The rest, whole: files hold it already, journald may still be about to write it.
  Result<> finish() {
    read_inotify();
    std::vector<LineSource*> everything;
    for (const auto& source : all_) everything.push_back(source.get());
    SVD_CHECK(merge(everything));
    while (journal_ != nullptr && !ended_) {
      const auto journal = journal_->wait();
      pollfd news{journal.fd, journal.events, 0};
      if (::poll(&news, 1, journal_quiet) == 0) break;
      journal_->process();
      SVD_CHECK(merge({journal_}));
    }
    for (auto* source : everything) give_partial(*source);
    ended_ = true;
    return {};
  }

  const LogQuery& query_;
  const LogSink& sink_;
  std::vector<std::unique_ptr<LineSource>> all_;
  std::vector<FileLines*> files_;
  JournalSource* journal_ = nullptr;
  UniqueFd inotify_;
  std::map<int, std::size_t> written_;  // watch → file
  std::map<int, std::set<std::size_t>>
      above_;  // watch of a directory → files that live (or will live) below it
  std::deque<OwnedLine> last_lines_;
  bool last_lines_given_ = false;
  bool ended_ = false;
};

}  // namespace

Result<> read_logs(const std::vector<LogSource>& sources, const LogQuery& query, const LogSink& sink) {
  Reader reader{query, sink};
  SVD_CHECK(reader.open(sources));
  return reader.run();
}

}  // namespace svd::cli
