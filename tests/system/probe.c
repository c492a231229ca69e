// SPDX-License-Identifier: Apache-2.0
// What a command sees of the init above it. Reports are single short writes, so that they stay whole in a FIFO.
//
//   probe signals FIFO      blocks every signal and reports each: "PID ready" first, then "PID NUMBER VALUE" (VALUE: what
//                           sigqueue(3) attached, else 0). Ends by SIGKILL.
//   probe family FIFO       the same, by a child in the same process group as well
//   probe orphans COUNT     leaves COUNT orphans that end; waits until nobody is left in /proc who was not there before;
//                           prints how many there were and how many zombies remain
//   probe raise NUMBER      dies of that signal
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int fd, const char* text, int number, int value) {
  char line[64];
  const int length = text ? snprintf(line, sizeof line, "%d %s\n", (int)getpid(), text)
                          : snprintf(line, sizeof line, "%d %d %d\n", (int)getpid(), number, value);
  if (write(fd, line, (size_t)length) != length) _exit(99);
}

// Raw: libc leaves two signals out of its sets.
static void report_signals(const char* path, int family) {
  const uint64_t all = ~0ULL;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
  if (family && fork() == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) _exit(98);
  say(fd, "ready", 0, 0);
  for (;;) {
    siginfo_t info;
    if (syscall(SYS_rt_sigtimedwait, &all, &info, NULL, sizeof all) < 0) continue;
    say(fd, NULL, info.si_signo, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
  }
}

static char state_of(const char* pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  const size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = 0;
  const char* end = strrchr(text, ')');
  return end ? end[2] : 0;
}

// How many processes there are besides init and this one; `zombies` of them have ended.
static int others(int* zombies) {
  int count = 0;
  *zombies = 0;
  DIR* proc = opendir("/proc");
  for (struct dirent* entry; proc && (entry = readdir(proc));) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    const int pid = atoi(entry->d_name);
    const char state = pid == 1 || pid == getpid() ? 0 : state_of(entry->d_name);
    if (!state) continue;
    ++count;
    *zombies += state == 'Z';
  }
  closedir(proc);
  return count;
}

static int leave_orphans(int count) {
  int ends[2], zombies = 0;
  if (pipe(ends) != 0) return 97;
  const int at_first = others(&zombies);
  for (int i = 0; i < count; ++i) {
    const pid_t between = fork();
    if (between == 0) {
      if (fork() == 0) {
        close(ends[1]);
        // They live until all of them are there, and then end at the same time.
        char byte;
        _exit((int)read(ends[0], &byte, 1));
      }
      _exit(0);
    }
    waitpid(between, NULL, 0);
  }
  const int before = others(&zombies) - at_first;
  close(ends[1]);
  while (others(&zombies) > at_first) sched_yield();
  printf("%d orphans, %d zombies\n", before, zombies);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 96;
  if (strcmp(argv[1], "signals") == 0) report_signals(argv[2], 0);
  if (strcmp(argv[1], "family") == 0) report_signals(argv[2], 1);
  if (strcmp(argv[1], "orphans") == 0) return leave_orphans(atoi(argv[2]));
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  kill(getpid(), atoi(argv[2]));
  return 95;
}
