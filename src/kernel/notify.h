// SPDX-License-Identifier: Apache-2.0
// The receiving end of sd_notify(3): a datagram socket for each start that is to notify, so that nobody's
// flood holds up the news of another. READY=1 and STATUS= count; MAINPID= does not (the main process is the
// one that was started), and descriptors are not kept.
//
// Who may write. A socket in the file system belongs to the start's user, with mode 0600: others are refused
// by the kernel. Where the start may change its user (CAP_SETUID, as root's have it), or where the socket can
// be no file, everybody can write: what costs nothing to know, the sender's uid, is looked at first, then
// whose process it is; and after a stranger nothing is read for a while.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/given.h"
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
  struct Handlers {
    std::function<bool(std::int64_t pid)> is_sender;  // a process of the start
    std::function<void(const Notification&)> said;
  };

  // `name`: that the keeper holds it by.
  NotifySocket(const Loop& loop, Holder& holder, std::string name, Given given);
  // Listens at `path`, with the socket of an engine before us where there is one. No path: an abstract name
  // (unix(7)) that the kernel chooses, for who can make no file.
  Result<> open(const std::string& path, Handlers handlers);
  // As NOTIFY_SOCKET has it.
  [[nodiscard]] const std::string& path() const { return path_; }
  // Reads all that is there, before the exit of one of them is acted on.
  void drain();
  // The start has ended.
  void remove();

 private:
  enum class Got : std::uint8_t { nothing, news, stranger };
  Result<> make();
  Result<> make_file();
  Result<> read_name();
  [[nodiscard]] bool is_abstract() const { return path_.empty() || path_.starts_with('@'); }
  [[nodiscard]] bool may_be(std::uint32_t uid) const;
  void read_turn();
  void rest();
  Got receive();

  const Loop& loop_;
  Holder& holder_;
  std::string name_, path_;
  Given given_;
  UniqueFd socket_;
  IoWatch watch_;
  Timer rest_;
  Handlers handlers_;
};

}  // namespace svd
