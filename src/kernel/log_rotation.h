// SPDX-License-Identifier: Apache-2.0
// Decides when a log file is cut, and has it done. See logs.h for what it costs.
//
// A file is idle (a one-shot inotify watch, nothing else) or active (looked at when due). Activity makes an
// idle one active; a look that finds it unchanged arms the watch, looks once more (a write may have come in
// between), and lets it be idle.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/unique_fd.h"
#include "loop/loop.h"
#include "model/app_spec.h"
#include "model/names.h"

namespace svd {

class LogRotation {
 public:
  struct Options {
    std::string tool;
    Millis look{1000};  // usual time between two looks at an active file
    std::function<WallTime()> wall;
    std::function<void()> changed;
    std::function<std::string(const SlotId& slot, const LogPolicy& policy)> path;
  };
  LogRotation(const Loop& loop, Options options);
  Result<> arm();

  void attach(const SlotId& slot, const LogPolicy& policy);  // only for `file` with a limit
  void detach(const SlotId& slot);
  void expect_writes(const SlotId& slot);  // it is about to be started
  [[nodiscard]] std::vector<std::string> degraded() const;

 private:
  // One log file. Instances that share a path are one file, at slot 0 of their app.
  struct File {
    int watch = -1;
    bool attached = false;
    bool overdue = false;      // older than max_age, with too little in it to cut
    std::uint64_t size = 0;    // at the last look
    std::int64_t age_due = 0;  // microseconds, wall clock; 0: not known
  };
  struct App {
    AppId id;
    LogPolicy policy;
    std::vector<File> files;  // by slot
  };
  struct Key {
    App* app = nullptr;
    std::uint32_t slot = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Active {
    TimePoint seen{}, due{};
    bool expected = false;  // nothing was written yet that we know of: it was started
    bool rotating = false;
  };
  struct Job {
    Key key;  // app is null when it was detached meanwhile
    std::string path;
    UniqueFd errors;
    ChildWatch watch;
  };

  [[nodiscard]] static Key key_of(App& app, std::uint32_t slot);
  [[nodiscard]] static File& file(const Key& key) { return key.app->files[key.slot]; }
  [[nodiscard]] std::string path(const Key& key) const;
  void activate(const Key& key, Millis delay, bool expected = false);
  void forget(const Key& key);
  void tick();
  void wake_at(TimePoint when);
  void look(const Key& key, Active& active, TimePoint now);
  [[nodiscard]] bool wants_cut(const Key& key, std::uint64_t size, std::uint64_t hole, bool& by_age);
  [[nodiscard]] Millis next_look(const Key& key, std::uint64_t grown, Nanos during, std::uint64_t live) const;
  bool watch(const Key& key);
  void drop_watch(File& file);
  void on_inotify();
  void rotate(const Key& key, bool by_age);
  void start_queued();
  void start_job(const Key& key, bool by_age);
  void finished(Job& job, int status);
  void fail(const std::string& path, std::string sentence);
  void learn_age(const Key& key, std::int64_t cut_micros, const std::string& path);
  void on_age();

  const Loop& loop_;
  Options options_;
  std::map<AppId, App> apps_;
  std::unordered_map<int, Key> watches_;
  std::map<Key, Active> active_;
  std::vector<std::pair<Key, bool>> queue_;  // cuts that wait for a helper; true: by age
  std::vector<std::unique_ptr<Job>> jobs_;
  std::unique_ptr<Job> last_job_;                // kept until its handler has returned
  std::map<std::string, std::string> failures_;  // by path
  bool too_few_watches_ = false;
  UniqueFd inotify_;
  IoWatch inotify_watch_;
  Timer timer_, age_timer_;
  std::optional<TimePoint> timer_at_, age_timer_at_;
};

}  // namespace svd
