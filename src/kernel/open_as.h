// SPDX-License-Identifier: Apache-2.0
// Sockets that a program asks for and its file does not declare: opened for it, but only as the start itself
// could have done it when it was launched. Whoever was started as www-data gets no port below 1024 and no
// path that www-data may not write to, although svd is root, and whatever its processes have become since.
//
// One after the other for each app, in a child (kernel/deputy.h): what is removed is gone before the next one
// is made, and an app has one such child at a time.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "base/unique_fd.h"
#include "ipc/cluster.h"
#include "kernel/deputy.h"
#include "kernel/given.h"
#include "loop/loop.h"

namespace svd {

// What is to be removed when the socket is shut: a unix socket in the file system, as this start.
struct OpenedPath {
  std::string path;
  Given given;
  bool operator==(const OpenedPath&) const = default;
};

class SocketOpener {
 public:
  struct Opened {
    UniqueFd fd;       // bound, not listening, not blocking
    std::string path;  // in the file system; empty: it has none
  };
  // Error: its code is the errno that the start's own bind(2) would have had; EPERM for a path where it has
  // mounts of its own; ETIMEDOUT.
  using Done = std::function<void(Result<Opened>)>;

  explicit SocketOpener(const Loop& loop) : loop_{loop} {}
  // `done` is called later, in the order of the calls.
  void open(ipc::Query query, Given given, Done done);
  // Where there is still a socket under that path.
  void remove(OpenedPath opened);
  // Nothing is under way.
  [[nodiscard]] bool idle() const { return jobs_.empty(); }

 private:
  struct Job {
    std::variant<ipc::Query, OpenedPath> what;
    Given given;
    Done done{};
  };
  void add(Job job);
  void begin();
  void finish(Deputy::Report report);

  const Loop& loop_;
  std::deque<Job> jobs_;  // the first one is under way
  std::unique_ptr<Deputy> deputy_;
};

}  // namespace svd
