// SPDX-License-Identifier: Apache-2.0
// Beside a call that blocks: says after some seconds that the daemon does not answer, and what can be done,
// instead of waiting for it without a word; and ends svctl when that has lasted for too long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace svd::cli {

struct Patience {
  std::chrono::milliseconds until_told{3'000};
  std::chrono::milliseconds until_given_up{60'000};
};

class PatientCall {
 public:
  explicit PatientCall(std::string address, Patience patience = {});
  ~PatientCall();
  PatientCall(const PatientCall&) = delete;
  PatientCall& operator=(const PatientCall&) = delete;

 private:
  void watch();
  bool ends_within(std::chrono::milliseconds time);

  std::string address_;
  Patience patience_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  std::thread watcher_;
};

}  // namespace svd::cli
