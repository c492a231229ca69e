// SPDX-License-Identifier: Apache-2.0
// The terminal of a command that runs in a process group of its own: it gets the foreground if we have it, we
// stop when it is stopped, so that a shell sees its job stop, and the foreground is given back at the end.
// All signals must be blocked: that is what lets a background process move the foreground (tcsetpgrp(3)).
#pragma once

namespace svd::keeper {

class Terminal {
 public:
  // Before the command is started. Holds no terminal unless we are in its foreground: who runs us in the
  // background wants to keep it.
  void find();
  // In the command's own process, which leads its process group.
  void give_to_self() const;
  // The command was stopped. Stops this process, too, if there is a shell to continue it: returns when one
  // did, or at once.
  void command_stopped();
  // SIGCONT came: the command, whose process group this is, gets the foreground if the shell gave it to us.
  // False: it had not been stopped.
  bool command_continues(int group);
  // The command has ended: whoever runs after us in our process group can read again.
  void take_back(int group) const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
  int own_group_ = 0;
  bool stopped_ = false;
};

}  // namespace svd::keeper
