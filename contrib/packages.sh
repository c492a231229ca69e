# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by contrib/quickstart and the tests: installs groups of contrib/packages, and only what is missing.

packages_file=$(dirname "${BASH_SOURCE[0]}")/packages

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else echo "cannot run '$*': not root, and there is no sudo" >&2; return 1; fi
}

# packages_of SUITE GROUP… : the packages of these groups, one a line. Comments are whole lines; names may hold '+'.
packages_of() {
  local suite=$1 group package wanted
  shift
  while read -r group package; do
    case "$group" in '' | '#'*) continue ;; esac
    for wanted in "$@"; do
      if [ "$group" = "$wanted" ] || [ "$group" = "$wanted@$suite" ]; then echo "$package"; fi
    done
  done <"$packages_file"
}

suite_of_this_machine() {
  # shellcheck disable=SC1091  # the machine's own file
  (. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
}

# install_packages GROUP… : says what it installs; does nothing, and needs no root, when all is there.
install_packages() {
  local missing=() package
  command -v apt-get >/dev/null || { echo "no apt-get here: install what contrib/packages lists by hand" >&2; return 1; }
  for package in $(packages_of "$(suite_of_this_machine)" "$@"); do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing with apt-get: ${missing[*]}"
  without_starting_services apt_install "${missing[@]}"
}

apt_install() {
  local log status=0
  log=$(mktemp)
  as_root mkdir -p /usr/share/man/man1  # a Java package wants it, and slim roots lack it
  { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } \
    >"$log" 2>&1 </dev/null || status=$?
  [ "$status" = 0 ] || { echo "apt-get failed:" >&2; tail -n 20 "$log" >&2; }
  rm -f "$log"
  return "$status"
}

# Debian starts and enables a service with its package; svd is to run these programs, not the system. What policy-rc.d
# says is honoured by systemd and init scripts alike.
without_starting_services() {
  local policy=/usr/sbin/policy-rc.d ours='' status=0 before after unit
  before=$(enabled_services)
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" && ours=yes
  fi
  "$@" || status=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  after=$(enabled_services)
  for unit in redis-server.service nginx.service; do
    case " $before " in *" $unit "*) continue ;; esac
    case " $after " in *" $unit "*) as_root systemctl disable --quiet "$unit" || true ;; esac
  done
  return "$status"
}

enabled_services() {
  command -v systemctl >/dev/null || return 0
  systemctl list-unit-files --state=enabled --no-legend redis-server.service nginx.service 2>/dev/null |
    while read -r unit _; do printf '%s ' "$unit"; done || true
}
