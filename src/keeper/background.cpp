// SPDX-License-Identifier: Apache-2.0
#include "keeper/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "keeper/log.h"

namespace svd::keeper {
namespace {

struct Word {
  char text[4352];  // more than any sentence; the rest of a longer one is lost
  std::size_t size;
};

// Up to the end: nobody else has the other side of the pipe.
Word read_word(int fd) {
  Word word;
  word.size = 0;
  while (word.size < sizeof word.text - 1) {
    const auto got = ::read(fd, word.text + word.size, sizeof word.text - 1 - word.size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    word.size += static_cast<std::size_t>(got);
  }
  while (word.size > 0 && word.text[word.size - 1] == '\n') --word.size;
  word.text[word.size] = '\0';
  return word;
}

[[noreturn]] void end_as(pid_t daemon, int fd) {
  const Word word = read_word(fd);
  if (std::strcmp(word.text, "ready") == 0) ::_exit(0);
  note(word.size > 0 ? word.text : "the daemon ended before it was ready");
  int status = 0;
  while (::waitpid(daemon, &status, 0) < 0 && errno == EINTR) continue;
  ::_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

[[noreturn]] void fail() {
  note("cannot go to the background", errno);
  ::_exit(1);
}

void leave_the_session() {
  ::setsid();
  [[maybe_unused]] const int moved = ::chdir("/");
}

}  // namespace

void go_to_background() {
  const pid_t pid = ::fork();
  if (pid < 0) fail();
  if (pid > 0) ::_exit(0);
  leave_the_session();
}

int go_to_background_awaited() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) fail();
  const pid_t pid = ::fork();
  if (pid < 0) fail();
  ::close(ends[pid > 0 ? 1 : 0]);
  if (pid > 0) end_as(pid, ends[0]);
  leave_the_session();
  return ends[1];
}

}  // namespace svd::keeper
