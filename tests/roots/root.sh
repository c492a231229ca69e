# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced: fresh Debian roots for the tests that need one. Needs root (tests/run asks sudo where it must).
#
#   base=$(debian_root SUITE [PACKAGE…])   a directory made by mmdebstrap, kept in the cache between runs
#   in_root BASE COMMAND…                  runs it in a copy-on-write copy, in mount, pid and cgroup places of its own:
#                                          what it leaves running or writes is gone afterwards. SHARE="dir …" binds
#                                          directories of this machine to the same path inside.
set -euo pipefail

cache=${SVD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/svd}/roots

skip() {  # a tier that was asked for by name may not be skipped
  echo "SKIPPED: $*"
  [ "${SVD_REQUIRE_ROOTS:-}" = yes ] && exit 1
  exit 77
}

# become_root "$0" "$@": goes on as root where that needs no question; debian_root says it when it does not.
become_root() {
  if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then exec sudo -n --preserve-env=CI,SVD_CACHE,SVD_REQUIRE_ROOTS,TMPDIR "$@"; fi
}

# The mirror that this machine itself uses; nothing where apt does not know yet: mmdebstrap then uses Debian's own.
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' 2>/dev/null | head -n 1 || true
}

debian_root() {
  local suite=$1 key base
  shift
  command -v mmdebstrap >/dev/null || skip "no mmdebstrap here"
  [ "$(id -u)" = 0 ] || skip "a Debian root needs root"
  key=$(printf '%s\n' "$suite" "$@" | sha256sum | cut -c 1-12)
  base=$cache/$suite-$key
  mkdir -p "$cache"
  exec 8>"$cache/$suite-$key.lock"
  flock 8
  if [ ! -e "$base/.complete" ]; then
    rm -rf "$base"
    # shellcheck disable=SC2046  # no mirror is no argument
    mmdebstrap --quiet --mode=root --variant=minbase --include="$(IFS=,; echo "$*")" \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      "$suite" "$base" $(mirror) >&2 || skip "mmdebstrap cannot make a $suite root (no network?)"
    touch "$base/.complete"
  fi
  flock -u 8
  echo "$base"
}

in_root() {
  local base=$1 work status=0 cgroup
  shift
  work=$(mktemp -d "${TMPDIR:-/tmp}/svd-root.XXXXXX")
  mkdir "$work/upper" "$work/work" "$work/root"
  cgroup=$(awk '$9 == "cgroup2" || $10 == "cgroup2" || / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)$(
    awk -F: '$1 == 0 {print $3}' /proc/self/cgroup)/svd-root-$$
  mkdir "$cgroup" 2>/dev/null || cgroup=''
  unshare --mount --pid --fork --kill-child --propagation private \
    bash "$(dirname "${BASH_SOURCE[0]}")/enter" "$base" "$work" "$cgroup" "$@" || status=$?
  if [ -n "$cgroup" ]; then find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  rm -rf "$work"
  return "$status"
}
