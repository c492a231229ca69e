// SPDX-License-Identifier: Apache-2.0
// Where instances' output goes, and the rotation of log files. No byte of it passes through the daemon: the
// app writes to its file or to journald itself. LogPort for the engine, StdioSource for the keeper's client.
//
// file      The child opens it for appending. Rotation needs no cooperation: a helper process
//           (libexec/svd/logtool) copies the front to a rotated file and removes it from the live one
//           (files/log_layout.h says how no byte is lost). Where the file system can remove no front, a
//           pipe and a writer process (`logtool write`) stand between; which way it is, is tried once for
//           each file system, when the first log on it is opened.
// journal   A stream straight from the app to journald, as sd_journal_stream_fd(3) makes it, but its
//           connect() never waits. SYSLOG_IDENTIFIER is the instance: `journalctl -t shop:web/0` shows
//           one, `journalctl --identifier=shop:web/{0..3}` (the shell's braces) an app. journald adds _PID
//           and, as the name of the cgroup, _SYSTEMD_CGROUP. A field for the app alone cannot be had
//           honestly: journald reads extra fields of a stream from /run/systemd/units only, which is
//           systemd's own to write, and the unit line of the header counts only for processes in the root
//           cgroup (journald-context.c, v252); so svd leaves that line empty. With `fields: true` a pipe and
//           a writer process (`logtool journal`) stand between, and each line is an entry with SVD_ECOSYSTEM,
//           SVD_APP, SVD_INSTANCE and SVD_REVISION.
// console   The daemon's own output; where that is thrown away (`svctl run`), the file.
// none      /dev/null.
//
// Cost. A log that nobody writes to has a one-shot inotify watch and no timer. The first write fires it; from
// then on the log is looked at about once a second, more often when it grows so fast that it would pass twice
// `rotate`, until a look finds it unchanged. A million lines in a second are two or three wake-ups. A log
// with rotate 0 and max_age 0 is not watched. Memory: about 60 bytes a slot.
//
// Age is counted from the last cut, or from the file's birth. What is younger than one block of the file
// system (4 KiB as a rule) stays in the live file, since only whole blocks can be removed from its front.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "engine/ports.h"
#include "kernel/stdio.h"
#include "loop/loop.h"

namespace svd {

struct LogOptions {
  std::string directory;                                // LOGDIR, absolute; made when needed (0750)
  std::string tool;                                     // absolute path of libexec/svd/logtool
  std::string journal = "/run/systemd/journal/stdout";  // its `socket`, for entries, lies beside it
  bool console = false;                                 // what `auto` means, whatever else there is
  bool no_console = false;  // what goes there would be lost: `console` is the file
  // Where a file system can neither collapse nor punch; tests force it.
  bool force_pipe = false;
  // How often a log that is being written to is looked at; tests shorten it.
  Millis look{1000};
  // The clock for max_age; tests inject one. Default: CLOCK_REALTIME.
  std::function<WallTime()> wall;
  // Called when the answer of degraded() changed.
  std::function<void()> changed;
};

class Logs final : public LogPort, public StdioSource {
 public:
  // Blocks SIGCHLD in this thread (sd_event_add_child(3) wants that). `loop` must outlive it.
  static Result<std::unique_ptr<Logs>> make(const Loop& loop, LogOptions options);
  // Closes the writers' pipes and waits for the writers, at most a second, so that a container's last lines
  // are written.
  ~Logs() override;
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;

  void attach(const SlotId& slot, const LogPolicy& policy) override;
  void detach(const SlotId& slot) override;
  // console where the options say so; else journal where journald's socket could be connected to when this
  // object was made, else file. One answer
  // for the life of a daemon: an app's output does not wander between two places because journald was
  // restarted.
  [[nodiscard]] LogPolicy::To automatic() const override;
  [[nodiscard]] std::string where(const SlotId& slot, const LogPolicy& policy) const override;

  // Makes the directory, never the file. Errors: the directory cannot be made; journald refuses or its queue
  // is full (resource_unavailable_try_again); no writer could be started.
  Result<Stdio> open(const SlotId& slot, const LogPolicy& policy, std::uint64_t revision = 0) override;

  // What does not work at the moment, a sentence each: a rotation that failed, no more inotify watches.
  // Empty: all is well.
  [[nodiscard]] std::vector<std::string> degraded() const;

 private:
  struct State;
  explicit Logs(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace svd
