// SPDX-License-Identifier: Apache-2.0
// The engine's life: started, started again when it dies (at once if it had lived and served, else with a
// growing pause), never touching an instance.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "keeper/keeper.h"
#include "keeper/log.h"

namespace svd::keeper {
namespace {

constexpr std::int64_t first_pause = 20, longest_pause = 5'000;  // milliseconds
constexpr std::int64_t longest_pause_after_service =
    50;                                     // it works, only not for long: clients should not wait
constexpr std::int64_t settled = 1'000;     // an engine that served for this long starts a new series
constexpr std::int64_t patience = 10'000;   // for an engine that quits, to write its state
constexpr std::uint32_t give_up_after = 5;  // starts in vain
constexpr std::int64_t settling =
    2'000;                       // for starts that a dead engine asked for, to execute their programs
constexpr int buffer = 1 << 20;  // of the socket; only what is in flight takes memory

void set_buffers(int socket) {
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
}

void connect(Keeper& keeper, int socket) {
  Engine& engine = keeper.engine;
  engine.socket = socket;
  engine.served = engine.listed = engine.quitting = false;
  engine.born = now_ms();
  engine.start_at = engine.kill_at = -1;
  keeper.outbox.events = 0;
  greet(keeper);
  relay_for_next_engine(keeper);
}

std::int64_t pause_before_next(Engine& engine) {
  if (engine.served && now_ms() - engine.born >= settled) engine.failures = 0;
  const std::uint32_t failures = engine.failures++;
  if (engine.served && failures == 0) return 0;
  const std::int64_t pause = failures > 8 ? longest_pause : first_pause << failures;
  const std::int64_t longest = engine.served ? longest_pause_after_service : longest_pause;
  return pause < longest ? pause : longest;
}

// The first service does not come, and there is nothing to lose: better an end that is noticed (by who waits
// on --ready-fd, by a container's restart policy) than trying for ever.
bool is_hopeless(const Keeper& keeper) {
  return keeper.engine.services == 0 && keeper.engine.failures >= give_up_after &&
         keeper.children.known() == 0;
}

void tell_hopeless(Keeper& keeper) {
  char text[4352];
  const int size =
      keeper.engine.err != 0
          ? std::snprintf(text, sizeof text, "cannot start %s: %s\n", keeper.options.engine_path,
                          strerrordesc_np(keeper.engine.err))
          : std::snprintf(text, sizeof text, "the engine ends again and again before it serves\n");
  tell_waiter(keeper, text, static_cast<std::uint32_t>(size));
  text[size - 1] = '\0';
  note(text);
}

void close_socket(Keeper& keeper) {
  if (keeper.engine.socket < 0) return;
  unwatch(keeper, keeper.engine.socket);
  keeper.engine.listed = false;
  const bool hangup = keeper.outbox.hangup;
  keeper.outbox = {};
  keeper.outbox.hangup = hangup;
}

}  // namespace

void tell_waiter(Keeper& keeper, const char* text, std::uint32_t size) {
  if (keeper.ready_fd < 0) return;
  [[maybe_unused]] const auto written = ::write(keeper.ready_fd, text, size);  // it may have gone away
  ::close(keeper.ready_fd);
  keeper.ready_fd = -1;
}

void plan_start(Keeper& keeper) {
  if (keeper.stop.phase != Stop::Phase::none) return stop_everything(keeper);
  const std::int64_t pause = pause_before_next(keeper.engine);
  if (is_hopeless(keeper)) {
    tell_hopeless(keeper);
    keeper.ended = true;
    keeper.code = 1;
    return;
  }
  keeper.engine.start_at = now_ms() + pause;
}

void start_engine(Keeper& keeper) {
  keeper.engine.start_at = -1;
  keeper.engine.served = false;
  int pair[2];
  int err = 0;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) err = errno;
  if (err != 0) return engine_failed(keeper, err);
  set_buffers(pair[0]);
  set_buffers(pair[1]);
  connect(keeper, pair[0]);
  Start start{};
  start.kind = Order::Kind::engine;
  start.deadline = now_ms() + default_patience;
  start.late = ETIME;
  begin_start(keeper, start, nullptr, 0, pair + 1, 1);
}

void engine_born(Keeper& keeper, std::int32_t pid) {
  keeper.engine.pid = pid;
  keeper.engine.err = 0;
  if (keeper.stop.phase > Stop::Phase::asked) ::kill(pid, SIGKILL);
}

void engine_failed(Keeper& keeper, int err) {
  close_socket(keeper);
  keeper.engine.err = err;
  note("cannot start the engine", err);
  plan_start(keeper);
}

void adopt_engine(Keeper& keeper, int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) keeper.engine.pid = peer.pid;
  keeper.engine.pidfd = static_cast<int>(::syscall(SYS_pidfd_open, keeper.engine.pid, 0));
  ::fcntl(socket, F_SETFL, O_RDWR | O_NONBLOCK);
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  set_buffers(socket);
  if (keeper.engine.pidfd >= 0) watch(keeper, keeper.engine.pidfd, EPOLLIN, tag_engine_pidfd);
  connect(keeper, socket);
}

void engine_hung_up(Keeper& keeper) {
  Engine& engine = keeper.engine;
  close_socket(keeper);
  if (engine.quitting) {
    engine.kill_at = now_ms() + patience;
    return;
  }
  // It is ending, or else of no more use; its end is what starts the next one.
  if (engine.pidfd >= 0)
    ::syscall(SYS_pidfd_send_signal, engine.pidfd, SIGKILL, nullptr, 0);
  else if (engine.pid > 0)
    ::kill(engine.pid, SIGKILL);
}

void engine_ended(Keeper& keeper, Ended ended, int number) {
  Engine& engine = keeper.engine;
  if (engine.socket >= 0) {
    serve_rest(keeper);  // what it still asked for was decided: carry it out before the next one looks
    close_socket(keeper);
  }
  hasten_starts(keeper, now_ms() + settling, ECANCELED);
  unwatch(keeper, engine.pidfd);
  engine.pid = 0;
  engine.kill_at = -1;
  engine.ended = ended;
  engine.number = number;
  if (engine.quitting) {
    keeper.ended = true;
    keeper.code = engine.code;
    return;
  }
  if (ended == Ended::signal)
    note_number("the engine was ended by signal", number);
  else if (ended == Ended::code)
    note_number("the engine ended with exit code", number);
  plan_start(keeper);
}

}  // namespace svd::keeper
