# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced: source_copy DIRECTORY puts there what a fresh clone would hold, with what is not committed yet.
source_copy() {
  local from
  from=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  mkdir -p "$1"
  (cd "$from" && git ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then printf '%s\0' "$file"; fi
  done | tar --null -T - -cf -) | tar -C "$1" -xf -
}
