// SPDX-License-Identifier: Apache-2.0
#include "cli/patience.h"

#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/text.h"
#include "cli/daemon_seen.h"
#include "cli/exit.h"

namespace svd::cli {
namespace {

void say(const std::string& words) {
  const auto text = safe_lines(words);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

std::string seconds(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + "s";
}

// What is the matter, as far as it can be seen from outside, and what to do about it.
std::string advice(const std::string& address) {
  const auto seen = daemon_at(address);
  if (!seen || seen->engine == 0) return {};
  const auto pid = std::to_string(seen->engine);
  const auto replace = "'kill -KILL " + pid + "' has another one take over; no app is touched by that";
  if (seen->engine_is_stopped)
    return "its engine, pid " + pid + ", is stopped (SIGSTOP, or a debugger): 'kill -CONT " + pid +
           "' lets it go on, " + replace + "\n";
  return "its engine is pid " + pid + ": if it stays like this, " + replace + "\n";
}

}  // namespace

// The thread leaves signals to the caller, who looks after Ctrl-C.
PatientCall::PatientCall(std::string address, Patience patience)
    : address_{std::move(address)}, patience_{patience} {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  watcher_ = std::thread{[this] { watch(); }};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

PatientCall::~PatientCall() {
  {
    const std::lock_guard guard{mutex_};
    has_ended_ = true;
  }
  ended_.notify_one();
  watcher_.join();
}

bool PatientCall::ends_within(std::chrono::milliseconds time) {
  std::unique_lock lock{mutex_};
  return ended_.wait_for(lock, time, [this] { return has_ended_; });
}

void PatientCall::watch() {
  if (ends_within(patience_.until_told)) return;
  say("svctl: the daemon at " + address_ + " has not answered for " + seconds(patience_.until_told) +
      "; still waiting (Ctrl-C ends it)\n" + advice(address_));
  if (ends_within(patience_.until_given_up - patience_.until_told)) return;
  say("svctl: the daemon at " + address_ + " has not answered for " + seconds(patience_.until_given_up) +
      ": given up; what was asked for may be done all the same\n");
  ::_exit(static_cast<int>(Exit::error));
}

}  // namespace svd::cli
