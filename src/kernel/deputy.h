// SPDX-License-Identifier: Apache-2.0
// A short-lived child that does one thing as a start could do it: it becomes what svd gave the start, so that
// the kernel judges, and what it meets on its way (a directory on a FUSE mount that does not answer) holds up
// nobody else. It has a deadline, and then it is killed.
#pragma once

#include <functional>

#include "base/unique_fd.h"
#include "kernel/given.h"
#include "loop/loop.h"

namespace svd {

class Deputy {
 public:
  static constexpr Millis deadline{2'000};
  struct Report {
    int err = 0;  // an errno; ETIMEDOUT: it did not come back in time
    UniqueFd fd;
  };
  using Task = std::function<Report()>;  // in the child, which has no other descriptor than what it opens
  using Done = std::function<void(Report)>;

  Deputy() = default;
  // It goes on by itself, and nobody hears of it.
  ~Deputy() = default;
  Deputy(const Deputy&) = delete;
  Deputy& operator=(const Deputy&) = delete;

  // `done` is called later, once; it may destroy this. Error: there is no process or descriptor for it.
  Result<> start(const Loop& loop, const Given& given, const Task& task, Done done);

 private:
  void ended();
  UniqueFd answer_;
  UniqueFd child_;
  IoWatch watch_;
  Timer timer_;
  int pid_ = 0;
  Done done_;
};

}  // namespace svd
