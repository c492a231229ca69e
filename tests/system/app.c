// SPDX-License-Identifier: Apache-2.0
// A program to be supervised: does what its arguments say, one after the other. Reports are single short writes, so
// that they stay whole in a FIFO (at most PIPE_BUF bytes).
//
//   report PATH   "PID SLOT MONOTONIC_NS" and a newline; the time was taken first of all
//   ignore        SIGTERM and SIGINT are ignored from here on
//   overwrite     its environment, where /proc shows it, with zeros
//   strays PATH   leaves two behind: one in a session of its own, one forked twice; each reports its pid, and "stray"
//   line BYTES    one line of 'x' of that many bytes, the newline included
//   binary BYTES  every byte value in turn
//   lines COUNT   "0000000001", … as one line each
//   only SLOT     what follows is for that slot; the others wait
//   eat MIB       takes that much memory, a MiB at a time
//   spin N        N children, and itself, use all the CPU time they can get
//   bomb 0        forks without end, and what it forked does, too
//   fail N        exits with N when the file exit.SLOT exists in the working directory, else goes on
//   exit N        exits
//   raise N       dies of signal N
//   wait          for a signal; also what the end of the arguments means
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long begun;

static void report(const char* path, const char* what) {
  char line[128];
  const int length = snprintf(line, sizeof line, "%d %s %lld\n", (int)getpid(), what, begun);
  const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0 || write(fd, line, (size_t)length) != length) _exit(99);
  close(fd);
}

extern char** environ;
static void overwrite(void) {
  for (char** variable = environ; *variable; ++variable) memset(*variable, 0, strlen(*variable));
}

static void wait_for_ever(void) {
  for (;;) pause();
}

static void strays(const char* path) {
  if (fork() == 0) {
    setsid();
    report(path, "stray");
    wait_for_ever();
  }
  const pid_t between = fork();
  if (between == 0) {
    if (fork() != 0) _exit(0);
    setsid();
    report(path, "stray");
    wait_for_ever();
  }
  waitpid(between, NULL, 0);
}

static void eat(long mebibytes) {
  for (long i = 0; i < mebibytes; ++i) {
    char* piece = malloc(1 << 20);
    if (piece == NULL) _exit(97);
    memset(piece, 1, 1 << 20);
  }
}

static void spin(long children) {
  for (long i = 0; i < children; ++i)
    if (fork() == 0) break;
  for (volatile unsigned long turn = 0;; ++turn) continue;
}

static void bomb(void) {
  for (;;)
    if (fork() < 0) usleep(10000);  /* pace: the time is the load */
}

static void lines(long count) {
  for (long i = 1; i <= count; ++i) printf("%010ld\n", i);
  if (fflush(stdout) != 0) _exit(98);
}

static void binary(long bytes) {
  for (long i = 0; i < bytes; ++i) putchar((int)(i & 255));
  if (fflush(stdout) != 0) _exit(98);
}

static void line(long bytes) {
  char* text = malloc((size_t)bytes);
  memset(text, 'x', (size_t)bytes);
  text[bytes - 1] = '\n';
  if (fwrite(text, 1, (size_t)bytes, stdout) != (size_t)bytes || fflush(stdout) != 0) _exit(98);
}

int main(int argc, char** argv) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  begun = now.tv_sec * 1000000000LL + now.tv_nsec;
  const char* slot = getenv("SVD_INSTANCE");
  char flag[64];
  snprintf(flag, sizeof flag, "exit.%s", slot ? slot : "none");
  for (int i = 1; i < argc; ++i) {
    const char* verb = argv[i];
    if (strcmp(verb, "wait") == 0) break;
    if (strcmp(verb, "ignore") == 0) {
      signal(SIGTERM, SIG_IGN);
      signal(SIGINT, SIG_IGN);
      continue;
    }
    if (strcmp(verb, "overwrite") == 0) {
      slot = slot ? strdup(slot) : NULL;
      overwrite();
      continue;
    }
    const char* value = ++i < argc ? argv[i] : "";
    if (strcmp(verb, "report") == 0) report(value, slot ? slot : "-");
    else if (strcmp(verb, "strays") == 0) strays(value);
    else if (strcmp(verb, "only") == 0 && (slot == NULL || strcmp(slot, value) != 0)) break;
    else if (strcmp(verb, "eat") == 0) eat(atol(value));
    else if (strcmp(verb, "spin") == 0) spin(atol(value));
    else if (strcmp(verb, "bomb") == 0) bomb();
    else if (strcmp(verb, "line") == 0) line(atol(value));
    else if (strcmp(verb, "binary") == 0) binary(atol(value));
    else if (strcmp(verb, "lines") == 0) lines(atol(value));
    else if (strcmp(verb, "fail") == 0 && access(flag, F_OK) == 0) return atoi(value);
    else if (strcmp(verb, "exit") == 0) return atoi(value);
    else if (strcmp(verb, "raise") == 0) raise(atoi(value));
  }
  wait_for_ever();
}
