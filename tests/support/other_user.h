// SPDX-License-Identifier: Apache-2.0
// A user of the machine that a test makes for its attack, and what he does.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "support/catch.h"

namespace svd::test {

// Tests that run side by side do not meet in /etc/passwd.
inline bool change_users(const std::string& command) {
  const UniqueFd lock{::open("/tmp/svd-test-users.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  ::flock(lock.get(), LOCK_EX);
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

class OtherUser {
 public:
  explicit OtherUser(const std::string& name = "svd-test-" + std::to_string(::getpid())) : name_{name} {
    REQUIRE(change_users("useradd --no-create-home --user-group --shell /bin/sh " + name_));
    const passwd* const entry = ::getpwnam(name_.c_str());
    REQUIRE(entry != nullptr);
    uid = entry->pw_uid;
    gid = entry->pw_gid;
  }
  OtherUser(const OtherUser&) = delete;
  OtherUser& operator=(const OtherUser&) = delete;
  ~OtherUser() { change_users("userdel --force " + name_); }

  [[nodiscard]] const std::string& name() const { return name_; }
  // Runs `deed` as this user, in a child; whether it said that it was done.
  bool does(const std::function<bool()>& deed) const {
    const pid_t pid = start(deed);
    int status = -1;
    return ::waitpid(pid, &status, 0) == pid && status == 0;
  }
  // The same, at the same time as the test goes on. The child ends when the test does.
  [[nodiscard]] pid_t start(const std::function<bool()>& deed) const {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    const bool is_him = ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 &&
                        ::setresuid(uid, uid, uid) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    ::_exit(is_him && deed() ? 0 : 1);
  }

  uid_t uid = 0;
  gid_t gid = 0;

 private:
  std::string name_;
};

// Something that he does over and over until the test is done with it.
class Meanwhile {
 public:
  Meanwhile(const OtherUser& user, const std::function<void()>& deed)
      : pid_{user.start([&] {
          for (;;) deed();
          return true;
        })} {}
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;
  ~Meanwhile() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

inline bool only_for_root() {
  if (::geteuid() == 0) return false;
  WARN("skipped: a user can be made by root only");
  return true;
}

}  // namespace svd::test
