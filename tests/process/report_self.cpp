// SPDX-License-Identifier: Apache-2.0
// What a program finds when it is started: report_self FILE writes it there, a line each, and then waits to
// be ended. (From outside one would look too early: a birth is reported when execve(2) is past the point of
// no return, which is before the kernel has closed what is close-on-exec and laid out the environment.)
#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <fstream>
#include <string>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  std::string report;
  for (int fd = 0; fd < 4096; ++fd) {
    char target[PATH_MAX] = {};
    if (::fcntl(fd, F_GETFD) < 0) continue;
    if (::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target - 1) < 0) return 3;
    report += "fd " + std::to_string(fd) + " " + target + "\n";
  }
  sigset_t blocked;
  ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number < NSIG; ++number) {
    if (::sigismember(&blocked, number) == 1) report += "blocked " + std::to_string(number) + "\n";
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_DFL)
      report += "handled " + std::to_string(number) + "\n";
  }
  report += "session " +
            std::string(::getsid(0) == ::getpid() && ::getpgid(0) == ::getpid() ? "own" : "shared") + "\n";
  for (char** variable = environ; *variable != nullptr; ++variable)
    report += "env " + std::string{*variable} + "\n";
  const std::string name = argv[1];
  std::ofstream{name + ".new"} << report;
  if (::rename((name + ".new").c_str(), name.c_str()) != 0) return 4;
  std::ofstream{name + ".fifo"} << "done\n";  // somebody reads there
  for (;;) ::pause();
}
