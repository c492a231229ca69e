// SPDX-License-Identifier: Apache-2.0
// The receiving end of sd_notify(3): one datagram socket for all instances. Who has sent something is told by
// the kernel, as the sender's pid. READY=1 and STATUS= count; MAINPID= does not (the main process is the one
// that was started), and descriptors are not kept.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/passing.h"
#include "loop/loop.h"

namespace svd {

struct Notification {
  bool ready = false;
  bool stopping = false;
  bool names_main_pid = false;
  std::optional<std::string> status{};
};
[[nodiscard]] Notification parse_notification(std::string_view text);

class NotifySocket {
 public:
  using Handler = std::function<void(std::int64_t pid, const Notification&)>;
  static constexpr const char* name = "notify";  // that the keeper holds it by

  // Listens at `path`, with the socket of an engine before us where there is one. A path that begins with '@'
  // is an abstract name (unix(7)), for who can make no file.
  Result<> open(const Loop& loop, const std::string& path, Holder& holder, Handler handler);
  [[nodiscard]] const std::string& path() const { return path_; }
  // Reads what is there, before the exit of one of them is acted on.
  void drain();

 private:
  Result<> make();
  bool receive();

  std::string path_;
  UniqueFd socket_;
  IoWatch watch_;
  Handler handler_;
};

}  // namespace svd
