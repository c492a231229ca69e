// SPDX-License-Identifier: Apache-2.0
#include "kernel/connection_passer.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace svd {
namespace {

constexpr Millis shortage_pause{50};  // no descriptors left, or a worker's channel is full

}  // namespace

ConnectionPasser::ConnectionPasser(const Loop& loop, int listener, Pass pass)
    : loop_{loop}, listener_{::fcntl(listener, F_DUPFD_CLOEXEC, 3)}, pass_{std::move(pass)} {}

Result<> ConnectionPasser::start() {
  return timer_.arm(loop_, Priority::message, [this] { pass_all(); });
}

void ConnectionPasser::enter(StartId id, const std::string& key) {
  rotation_.enter(id, key);
  pass_all();
}

void ConnectionPasser::leave(StartId id, const std::string& key) {
  rotation_.leave(id, key);
  pass_all();
}

void ConnectionPasser::gone(StartId id) {
  for (auto passed = passed_.begin(); passed != passed_.end();) {
    if (passed->second.to != id) {
      ++passed;
      continue;
    }
    returned_.push_back(std::move(passed->second.connection));
    passed = passed_.erase(passed);
  }
  pass_all();
}

void ConnectionPasser::answered(StartId id, std::uint64_t number, bool accepted) {
  const auto passed = passed_.find(number);
  if (passed == passed_.end() || passed->second.to != id) return;
  if (!accepted) returned_.push_front(std::move(passed->second.connection));
  passed_.erase(passed);
  rotation_.answered(id, accepted, Loop::now().mono);
  pass_all();
}

// One connection for each worker that is free; then the next connection or somebody's answer is waited for.
void ConnectionPasser::pass_all() {
  const auto now = Loop::now().mono;
  for (auto turn = rotation_.next(now); turn; turn = rotation_.next(now)) {
    auto connection = take_connection();
    if (!connection) return;
    pass(*turn, std::move(connection));
  }
  watch_.disarm();
  (void)timer_.set(rotation_.wake(now));
}

UniqueFd ConnectionPasser::take_connection() {
  if (!returned_.empty()) {
    auto connection = std::move(returned_.front());
    returned_.pop_front();
    return connection;
  }
  UniqueFd connection{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (connection) return connection;
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    watch_.disarm();  // or it would be told without end
    (void)timer_.set(Loop::now().mono + shortage_pause);
  } else if (!watch_.armed()) {
    (void)watch_.arm(loop_, listener_.get(), EPOLLIN, Priority::client,
                     [this](std::uint32_t) { pass_all(); });
  }
  return connection;
}

void ConnectionPasser::pass(const ipc::Rotation::Turn& turn, UniqueFd connection) {
  rotation_.took(turn);
  const auto number = pass_(turn, connection.get());
  if (number != 0) {
    passed_.emplace(number, Passed{turn.id, std::move(connection)});
    return;
  }
  returned_.push_front(std::move(connection));
  rotation_.answered(turn.id, false, Loop::now().mono);
}

}  // namespace svd
