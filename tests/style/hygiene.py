#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a reviewer would say about every file, said by a program: licence line, size, run bits, leftovers.

    hygiene.py SOURCE_DIR     exit status 1 when anything is wrong
"""
import os
import pathlib
import re
import subprocess
import sys

CODE = {".h", ".cpp", ".c", ".py"}
LONGEST = 600          # lines of a source file; 400 is the aim
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b|NOLINT\b(?!\()")  # a NOLINT has to name its check
# All that svctl prints goes through Context, which lets nothing reach a terminal unescaped.
PRINTS = re.compile(r"\bsystem\.(out|err)\(|std::c(out|err)\b|\b(v?f?printf|f?puts|fwrite|perror)\s*\(|::write\(STD(OUT|ERR)_FILENO")
MAY_PRINT = {"context.h", "main.cpp", "patience.cpp"}  # the door itself; what has no Context escapes by itself
WAITS = re.compile(r"\b(sleep_for|usleep|nanosleep|time\.sleep)\s*\(")


def tracked(source):
    out = subprocess.run(["git", "-C", source, "ls-files", "-co", "--exclude-standard"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [pathlib.Path(line) for line in out.splitlines() if (source / line).is_file()]


def problems_of(source, path):
    text = (source / path).read_text(encoding="utf-8", errors="replace")
    lines = text.splitlines()
    script = text.startswith("#!")
    is_source = path.parts[0] in ("src", "tests") and path.suffix in CODE
    if is_source and not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:3]):
        yield f"{path}: no SPDX line at its head"
    if is_source and len(lines) > LONGEST:
        yield f"{path}: {len(lines)} lines, at most {LONGEST}"
    if script and not os.access(source / path, os.X_OK):
        yield f"{path}: a script without its run bit"
    if is_source and path.name != "hygiene.py":
        for number, line in enumerate(lines, 1):
            if MARKS.search(line):
                yield f"{path}:{number}: a leftover: {line.strip()[:80]}"
            if path.parts[:2] == ("src", "cli") and path.name not in MAY_PRINT and PRINTS.search(line):
                yield f"{path}:{number}: prints past Context::out and Context::err: {line.strip()[:80]}"
            if path.parts[0] == "tests" and WAITS.search(line) and "pace:" not in line:
                yield f"{path}:{number}: a test waits on time instead of an event ('pace:' in a comment where the time is the load itself)"


def main(source):
    source = pathlib.Path(source)
    if not (source / ".git").exists():
        print("not a git checkout: nothing to list")
        return 77
    problems = [line for path in tracked(source) for line in problems_of(source, path)]
    print("\n".join(problems) or "nothing to say")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
