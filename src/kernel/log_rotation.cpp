// SPDX-License-Identifier: Apache-2.0
#include "kernel/log_rotation.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "files/log_layout.h"
#include "kernel/log_drivers.h"

namespace svd {
namespace {

constexpr std::size_t max_jobs = 2;  // helpers at a time: rotation is background work, and disks are slow
constexpr Millis shortest_look{50};
constexpr int lazy_looks = 5;             // times the usual, for a file that is far from its limit
constexpr Millis unwatched_look{60'000};  // where the kernel has no watch left for us
constexpr Millis retry_after{60'000};     // a cut that failed
constexpr Millis start_slack{20};         // looks due this soon are done in the same wake-up
constexpr std::size_t max_looks = 64;     // in one wake-up: nobody else should wait for them
constexpr std::uint64_t fastest_growth = 1ULL << 30;  // bytes a second that a first look allows for
constexpr std::uint64_t smallest_cut = 4096;          // a block
constexpr int temporary_failure = 75;                 // EX_TEMPFAIL: another helper is at it

}  // namespace

LogRotation::LogRotation(const Loop& loop, Options options) : loop_{loop}, options_{std::move(options)} {}

Result<> LogRotation::arm() {
  SVD_CHECK(timer_.arm(loop_, Priority::client, [this] { tick(); }));
  return age_timer_.arm(loop_, Priority::client, [this] { on_age(); });
}

LogRotation::Key LogRotation::key_of(App& app, std::uint32_t slot) {
  return {&app, app.policy.path.empty() ? slot : 0};
}

std::string LogRotation::path(const Key& key) const {
  return options_.path({key.app->id, key.slot}, key.app->policy);
}

void LogRotation::attach(const SlotId& slot, const LogPolicy& policy) {
  auto& app = apps_[slot.app];
  app.id = slot.app;
  if (app.policy.path != policy.path) {  // other files: what is known of the old ones is void
    for (std::uint32_t i = 0; i < app.files.size(); ++i) forget({&app, i});
    app.files.clear();
  }
  app.policy = policy;
  const auto key = key_of(app, slot.slot);
  if (app.files.size() <= key.slot) app.files.resize(key.slot + 1);
  file(key).attached = true;
  file(key).age_due = 0;
  activate(key, options_.look, true);
}

void LogRotation::detach(const SlotId& slot) {
  const auto found = apps_.find(slot.app);
  if (found == apps_.end()) return;
  auto& app = found->second;
  const auto key = key_of(app, slot.slot);
  // A shared file is kept until its first slot goes: slots go from the highest.
  if (key.slot >= app.files.size() || (!app.policy.path.empty() && slot.slot != 0)) return;
  forget(key);
  if (std::ranges::none_of(app.files, &File::attached)) apps_.erase(found);
}

void LogRotation::forget(const Key& key) {
  if (failures_.erase(path(key)) > 0) options_.changed();
  drop_watch(file(key));
  file(key) = File{};
  active_.erase(key);
  std::erase_if(queue_, [&](const auto& waiting) { return waiting.first == key; });
  for (const auto& job : jobs_)
    if (job->key == key) job->key.app = nullptr;
}

void LogRotation::expect_writes(const SlotId& slot) {
  const auto found = apps_.find(slot.app);
  if (found == apps_.end()) return;
  const auto key = key_of(found->second, slot.slot);
  if (key.slot < found->second.files.size() && file(key).attached) activate(key, options_.look, true);
}

void LogRotation::activate(const Key& key, Millis delay, bool expected) {
  const auto now = Loop::now().mono;
  const auto [found, fresh] = active_.try_emplace(key, Active{now, now + delay, expected, false});
  if (!fresh) return;
  drop_watch(file(key));
  wake_at(now + delay);
}

void LogRotation::wake_at(TimePoint when) {
  if (timer_at_ && *timer_at_ <= when) return;
  timer_at_ = when;
  static_cast<void>(timer_.set(when));
}

void LogRotation::tick() {
  const auto now = Loop::now().mono;
  std::vector<Key> due;
  for (const auto& [key, active] : active_)
    if (!active.rotating && active.due <= now + start_slack && due.size() < max_looks) due.push_back(key);
  for (const auto& key : due) look(key, active_.at(key), now);
  timer_at_.reset();
  for (const auto& [key, active] : active_)
    if (!active.rotating) wake_at(active.due);
  if (!timer_at_) static_cast<void>(timer_.set(std::nullopt));
}

// How long until it might have grown to its limit, with room for it to grow twice as fast.
Millis LogRotation::next_look(const Key& key, std::uint64_t grown, Nanos during, std::uint64_t live) const {
  const auto limit = key.app->policy.rotate;
  if (limit == 0 || grown == 0 || during.count() <= 0) return options_.look;
  const auto left = static_cast<double>(limit - std::min(limit, live));
  const auto seconds =
      left / (2.0 * static_cast<double>(grown)) * (static_cast<double>(during.count()) / 1e9);
  if (seconds > 600) return options_.look * lazy_looks;
  return std::clamp(Millis{static_cast<std::int64_t>(seconds * 1000)}, shortest_look, options_.look);
}

void LogRotation::look(const Key& key, Active& active, TimePoint now) {
  const auto name = path(key);
  auto& log = file(key);
  struct stat about {};
  if (::stat(name.c_str(), &about) !=
      0) {  // it was never started, or its log was removed: its next start says so
    active_.erase(key);
    return;
  }
  const auto size = static_cast<std::uint64_t>(about.st_size);
  CutRecord record;
  const bool may_cut =
      key.app->policy.max_age.count() > 0 || (key.app->policy.rotate > 0 && size >= key.app->policy.rotate);
  if (may_cut || (log.size == 0 && size > 0))  // the first look also finds what a killed helper left
    if (const auto place = open_log_place(name)) record = read_cut_record(*place).value_or(CutRecord{});
  if (key.app->policy.max_age.count() > 0 && log.age_due == 0) learn_age(key, record.cut.micros, name);
  bool by_age = false;
  if (wants_cut(key, size, record.hole, by_age) || record.step != CutRecord::Step::settled) {
    log.size = size;
    active.rotating = true;
    rotate(key, by_age);
    return;
  }
  const auto grown = size > log.size ? size - log.size : 0;
  const auto wait = next_look(key, grown, now - active.seen, size - std::min(size, record.hole));
  // The few lines of a start are no sign of more to come.
  const bool quiet = size == log.size || (active.expected && wait > options_.look);
  log.size = size;
  active = {now, now + wait, false, false};
  if (!quiet) return;
  if (!watch(key)) {
    active.due = now + unwatched_look;
    return;
  }
  if (::stat(name.c_str(), &about) == 0 && static_cast<std::uint64_t>(about.st_size) != size) return;
  active_.erase(key);
}

bool LogRotation::wants_cut(const Key& key, std::uint64_t size, std::uint64_t hole, bool& by_age) {
  const auto& policy = key.app->policy;
  const auto live = size - std::min(size, hole);
  if (policy.rotate > 0 && live >= std::max(policy.rotate, smallest_cut)) return true;
  auto& log = file(key);
  if (policy.max_age.count() == 0 || log.age_due > options_.wall().micros) return false;
  log.overdue = live < smallest_cut;
  by_age = !log.overdue;
  return by_age;
}

// Arms the watch of an idle file. False: the kernel has none left.
bool LogRotation::watch(const Key& key) {
  if (!inotify_) {
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (inotify_)
      static_cast<void>(inotify_watch_.arm(loop_, inotify_.get(), EPOLLIN, Priority::client,
                                           [this](auto) { on_inotify(); }));
  }
  auto& log = file(key);
  log.watch = inotify_ ? ::inotify_add_watch(inotify_.get(), path(key).c_str(), IN_MODIFY | IN_ONESHOT) : -1;
  const bool refused = log.watch < 0 && (!inotify_ || errno == ENOSPC || errno == ENOMEM);
  if (log.watch >= 0) watches_[log.watch] = key;
  if (refused != too_few_watches_) {
    too_few_watches_ = refused;
    options_.changed();
  }
  return !refused;
}

void LogRotation::drop_watch(File& log) {
  if (log.watch < 0) return;
  ::inotify_rm_watch(inotify_.get(), log.watch);  // fails where the one-shot has fired: it is gone then
  watches_.erase(log.watch);
  log.watch = -1;
}

void LogRotation::on_inotify() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  std::vector<Key> written;
  const auto n = ::read(inotify_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < n;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof event);
    at += static_cast<ssize_t>(sizeof event + event.len);
    if ((event.mask & IN_Q_OVERFLOW) != 0)
      for (const auto& [id, key] : watches_) written.push_back(key);
    const auto found = watches_.find(event.wd);
    if (found != watches_.end()) written.push_back(found->second);
  }
  for (const auto& key : written) {
    const auto left = key.app->policy.rotate - std::min(key.app->policy.rotate, file(key).size);
    activate(key, std::clamp(Millis{static_cast<std::int64_t>(left / (fastest_growth / 1000))}, shortest_look,
                             options_.look));
  }
}

void LogRotation::rotate(const Key& key, bool by_age) {
  queue_.emplace_back(key, by_age);
  start_queued();
}

void LogRotation::start_queued() {
  while (jobs_.size() < max_jobs && !queue_.empty()) {
    const auto [key, by_age] = queue_.front();
    queue_.erase(queue_.begin());
    start_job(key, by_age);
  }
}

void LogRotation::start_job(const Key& key, bool by_age) {
  const auto& policy = key.app->policy;
  auto job = std::make_unique<Job>();
  job->key = key;
  job->path = path(key);
  std::vector<std::string> argv{options_.tool, "rotate",
                                "--keep",      std::to_string(policy.keep),
                                "--size",      std::to_string(by_age ? 0 : policy.rotate)};
  if (policy.compress) argv.emplace_back("--compress");
  argv.push_back(job->path);
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    ends = {-1, -1};  // the helper then has nowhere to complain
  job->errors.reset(ends[0]);
  const UniqueFd write_end{ends[1]};
  auto armed = Result<>{};
  if (const auto pid = spawn_helper({argv, -1, write_end.get()})) {
    armed = job->watch.arm(loop_, *pid, [this, raw = job.get()](int status) { finished(*raw, status); });
  } else {
    armed = tl::make_unexpected(pid.error());
  }
  if (armed) {
    jobs_.push_back(std::move(job));
    return;
  }
  fail(job->path, "cannot rotate the log '" + job->path + "': " + armed.error().text);
  auto& active = active_.at(key);
  active.rotating = false;
  active.due = Loop::now().mono + retry_after;
  wake_at(active.due);
}

void LogRotation::finished(Job& job, int status) {
  const auto found = std::ranges::find(jobs_, &job, &std::unique_ptr<Job>::get);
  last_job_ = std::move(*found);
  jobs_.erase(found);
  if (status != 0 && status != temporary_failure) {
    std::array<char, 1024> text{};
    const auto n = ::read(job.errors.get(), text.data(), text.size());
    std::string why{text.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
    while (why.ends_with('\n')) why.pop_back();
    if (why.empty()) why = status < 0 ? "its helper was killed by a signal" : "its helper failed";
    fail(job.path, "the log '" + job.path + "' is not rotated: " + why);
  } else if (status == 0 && failures_.erase(job.path) > 0) {
    options_.changed();
  }
  if (job.key.app != nullptr) {
    auto& active = active_.at(job.key);
    active.rotating = false;
    active.seen = Loop::now().mono;
    active.due = active.seen + (status == 0                   ? shortest_look
                                : status == temporary_failure ? options_.look
                                                              : retry_after);
    wake_at(active.due);
    file(job.key).age_due = 0;  // learnt anew from the record
    struct stat about {};
    if (::stat(job.path.c_str(), &about) == 0) file(job.key).size = static_cast<std::uint64_t>(about.st_size);
  }
  start_queued();
}

void LogRotation::fail(const std::string& path, std::string sentence) {
  auto& have = failures_[path];
  if (std::exchange(have, std::move(sentence)) != have) options_.changed();
}

// From the last cut, else from the file's birth; a file system that tells none: from now.
void LogRotation::learn_age(const Key& key, std::int64_t cut_micros, const std::string& name) {
  auto& log = file(key);
  auto born = cut_micros;
  struct statx about {};
  if (born == 0 && ::statx(AT_FDCWD, name.c_str(), 0, STATX_BTIME, &about) == 0 &&
      (about.stx_mask & STATX_BTIME) != 0)
    born = static_cast<std::int64_t>(about.stx_btime.tv_sec) * 1'000'000;
  if (born == 0) born = options_.wall().micros;
  log.age_due = born + key.app->policy.max_age.count() * 1000;
  const auto wait = std::max<std::int64_t>(log.age_due - options_.wall().micros, 0);
  const auto at = Loop::now().mono + std::chrono::microseconds{wait};
  if (age_timer_at_ && *age_timer_at_ <= at) return;
  age_timer_at_ = at;
  static_cast<void>(age_timer_.set(at));
}

void LogRotation::on_age() {
  const auto now = Loop::now();
  const auto wall = options_.wall().micros;
  std::optional<std::int64_t> next;
  for (auto& [id, app] : apps_)
    for (std::uint32_t slot = 0; slot < app.files.size(); ++slot) {
      const auto& log = app.files[slot];
      if (!log.attached || log.age_due == 0 || log.overdue)
        continue;  // an overdue one waits for something to cut
      if (log.age_due <= wall)
        activate({&app, slot}, Millis{0});
      else if (!next || log.age_due < *next)
        next = log.age_due;
    }
  age_timer_at_.reset();
  if (next) age_timer_at_ = now.mono + std::chrono::microseconds{*next - wall};
  static_cast<void>(age_timer_.set(age_timer_at_));
}

std::vector<std::string> LogRotation::degraded() const {
  std::vector<std::string> all;
  if (too_few_watches_)
    all.emplace_back(
        "log files are looked at once a minute only, so that they may grow past `rotate`: the kernel refuses "
        "more inotify "
        "watches (fs.inotify.max_user_watches, max_user_instances)");
  for (const auto& [path, sentence] : failures_) all.push_back(sentence);
  return all;
}

}  // namespace svd
