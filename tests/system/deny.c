// SPDX-License-Identifier: Apache-2.0
// Runs a command below a seccomp filter, as container engines do: the system calls that are named fail as the filter says.
//
//   deny CALL=ERRNO… -- COMMAND…      e.g. deny clone3=ENOSYS close_range=EPERM -- svd eco.yaml
//
// A call that this machine's libseccomp does not know is an error: nothing would be tested.
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int number_of(const char* name) {
  if (strcmp(name, "ENOSYS") == 0) return ENOSYS;
  if (strcmp(name, "EPERM") == 0) return EPERM;
  if (strcmp(name, "EACCES") == 0) return EACCES;
  return 0;
}

static int deny(scmp_filter_ctx filter, char* word) {
  char* const equals = strchr(word, '=');
  if (equals == NULL) return -1;
  *equals = 0;
  const int call = seccomp_syscall_resolve_name(word), error = number_of(equals + 1);
  if (call == __NR_SCMP_ERROR || error == 0) return -1;
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), call, 0);
}

int main(int argc, char** argv) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  int i = 1;
  for (; i < argc && strcmp(argv[i], "--") != 0; ++i)
    if (deny(filter, argv[i]) < 0) return fprintf(stderr, "deny: cannot use '%s'\n", argv[i]), 96;
  if (i + 1 >= argc) return 96;
  // no_new_privs is set with it, so this needs no privilege.
  if (seccomp_load(filter) < 0) return perror("deny: seccomp_load"), 97;
  seccomp_release(filter);
  execvp(argv[i + 1], argv + i + 1);
  perror(argv[i + 1]);
  return 98;
}
