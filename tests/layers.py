#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include of src/ against the layer table, and each svd_module's USES against what its files include.

    layers.py SOURCE_DIR      says what breaks a rule; exit status 1 when anything does
    layers.py --self-test     a tree with one breach of each rule must be reported breach by breach
"""
import pathlib
import re
import sys
import tempfile

# folder → what it may include: a folder of src/, or a single header of one.
MAY_USE = {
    "base": [],
    "model": ["base"],
    "walk": [],  # libc only: the keeper's children use it
    "files": ["base", "walk"],  # what more than one program reads and writes on disk
    "spec": ["base", "model"],
    "lifecycle": ["base", "model"],
    "plan": ["base", "model", "lifecycle"],
    "ipc": ["base", "model"],
    "engine": ["base", "model", "lifecycle", "plan", "ipc", "spec"],
    "loop": ["base"],
    # The adapters know the engine's interfaces; the engine knows no adapter.
    "kernel": ["base", "model", "files", "loop", "ipc", "keeper/protocol.h", "engine/ports.h", "engine/event.h", "engine/engine.h"],
    "bus": ["base", "model", "loop", "engine/control.h", "engine/ports.h"],
    "daemon": ["base", "model", "spec", "engine", "loop", "kernel", "bus", "files",
               "keeper/protocol.h"],
    "keeper": ["walk"],
    "logtool": ["base", "files"],
    "cli": ["base", "model", "files", "spec"],
}
# The owners inside engine: folder → the other folders of it that it may include. What is on top of engine is its
# interfaces (LIKE_PORTS), which all may use, and what puts the owners together, which uses them all.
ENGINE = {
    "agenda": [],
    "outbox": [],
    "journal": ["outbox"],
    "world": ["agenda", "journal", "outbox"],
    "changes": ["world", "agenda", "journal", "outbox"],
    "converge": ["changes", "world", "agenda", "journal", "outbox"],
    "saving": ["changes", "world", "agenda", "journal", "outbox"],
    "requests": ["converge", "changes", "world", "agenda", "journal", "outbox"],
    "takeover": ["converge", "saving", "changes", "world", "agenda", "journal", "outbox"],
    "views": ["requests", "changes", "world", "agenda", "journal", "outbox"],
}
LIKE_PORTS = {"engine/ports.h", "engine/event.h", "engine/control.h"}
PURE = {"model", "spec", "lifecycle", "plan", "ipc", "engine"}  # no system call, no clock, no file, no thread
# A header's pattern → the folders that may include it; None: all but the pure ones.
SYSTEM = [
    (r"yaml-cpp/", {"spec"}),
    (r"systemd/", {"loop", "kernel", "bus", "daemon", "cli"}),
    (r"(CLI/|sdbus-c\+\+/)", {"cli"}),
    (r"catch2/", set()),
    (r"sys/resource\.h$", {"spec", "model", "lifecycle", "base", "loop", "kernel", "bus", "daemon", "keeper", "logtool", "files", "cli"}),  # RLIMIT_… names
    (r"(sys/|linux/|unistd\.h|fcntl\.h|poll\.h|sched\.h|spawn\.h|pwd\.h|grp\.h|dirent\.h|netdb\.h|netinet/)", None),
    (r"(thread|mutex|fstream|filesystem|iostream|condition_variable|future)$", None),
    (r"(vector|map|unordered_map|set|string|deque|list|functional|iostream|sstream|memory)$",
     set(MAY_USE) - {"keeper", "walk"}),  # the keeper allocates nothing after start-up
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MODULE = re.compile(r"svd_module\(\s*(\w+)([^)]*)\)")
WORDS = {"FILES", "USES", "LIBS"}


def includes(folder):
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".h", ".cpp", ".c"):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    yield path, number, match[1] == "<", match[2]


def system_breach(folder, header):
    for pattern, allowed in SYSTEM:
        if re.match(pattern, header):
            return folder in PURE if allowed is None else folder not in allowed
    return False


def uses_of(folder):
    """What the folder's CMakeLists.txt says it links, or None when it makes no module."""
    cmake = folder / "CMakeLists.txt"
    found = None
    for match in MODULE.finditer(cmake.read_text(encoding="utf-8") if cmake.exists() else ""):
        found = found if found is not None else set()
        words, take = match[2].split(), False
        for word in words:
            if word in WORDS:
                take = word == "USES"
            elif take:
                found.add(word)
    return found


def engine_breach(path, header):
    """An include between the owners inside engine that their order does not allow."""
    parts = path.parts
    if parts[:2] != ("src", "engine") or len(parts) < 4 or not header.startswith("engine/") or header in LIKE_PORTS:
        return False
    inside, to = parts[2], header.split("/")
    if len(to) < 3:
        return (inside, header) != ("takeover", "engine/engine.h")  # what a new engine is given
    return to[1] != inside and to[1] not in ENGINE.get(inside, [])


def check(source):
    breaches = []
    for folder in sorted(p for p in (source / "src").iterdir() if p.is_dir()):
        name = folder.name
        if name not in MAY_USE:
            breaches.append(f"src/{name}: not in the layer table")
            continue
        allowed, uses = MAY_USE[name], uses_of(folder)
        for path, number, is_system, header in includes(folder):
            place = f"{path.relative_to(source)}:{number}"
            top = header.split("/")[0]
            if not is_system and engine_breach(path.relative_to(source), header):
                breaches.append(f"{place}: {path.parent.relative_to(source / 'src')} may not include {header}")
            if not is_system and top in MAY_USE and "/" in header:
                if top != name and top not in allowed and header not in allowed:
                    breaches.append(f"{place}: {name} may not include {header}")
                elif uses is not None and top != name and top in allowed and top not in uses:
                    breaches.append(f"{place}: {header} is included, but {top} is not in the module's USES")
            elif system_breach(name, header):
                breaches.append(f"{place}: {name} may not include <{header}>")
        for other in sorted(uses or ()):
            if other not in allowed and not any(a.startswith(other + "/") for a in allowed):
                breaches.append(f"src/{name}/CMakeLists.txt: {name} may not use {other}")
    return breaches


SAMPLE = {
    "src/base/text.h": "#include <string>\n",
    "src/base/CMakeLists.txt": "svd_module(base FILES text.cpp)\n",
    "src/model/names.h": '#include "base/text.h"\n#include "engine/engine.h"\n',
    "src/model/CMakeLists.txt": "svd_module(model\n  FILES names.cpp\n  LIBS some::library)\n",
    "src/plan/diff.cpp": "#include <yaml-cpp/yaml.h>\n#include <sys/stat.h>\n#include <systemd/sd-bus.h>\n#include <thread>\n",
    "src/plan/CMakeLists.txt": "svd_module(plan FILES diff.cpp USES model bus)\n",
    "src/kernel/processes.cpp": '#include "keeper/protocol.h"\n#include "engine/ports.h"\n#include "keeper/table.h"\n',
    "src/keeper/main.cpp": "#include <vector>\n#include <sys/wait.h>\n",
    "src/engine/world/world.h": '#include "engine/ports.h"\n#include "engine/changes/changes.h"\n#include "engine/engine.h"\n',
    "src/misc/a.h": "",
}
EXPECTED = [
    "src/engine/world/world.h:2: engine/world may not include engine/changes/changes.h",
    "src/engine/world/world.h:3: engine/world may not include engine/engine.h",
    "src/keeper/main.cpp:1: keeper may not include <vector>",
    "src/kernel/processes.cpp:3: kernel may not include keeper/table.h",
    "src/misc: not in the layer table",
    "src/model/names.h:1: base/text.h is included, but base is not in the module's USES",
    "src/model/names.h:2: model may not include engine/engine.h",
    "src/plan/CMakeLists.txt: plan may not use bus",
    "src/plan/diff.cpp:1: plan may not include <yaml-cpp/yaml.h>",
    "src/plan/diff.cpp:2: plan may not include <sys/stat.h>",
    "src/plan/diff.cpp:3: plan may not include <systemd/sd-bus.h>",
    "src/plan/diff.cpp:4: plan may not include <thread>",
]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for name, text in SAMPLE.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = sorted(check(pathlib.Path(root)))
    for line in sorted(set(EXPECTED) ^ set(found)):
        print(("missed: " if line in EXPECTED else "wrongly reported: ") + line)
    return 0 if found == sorted(EXPECTED) else 1


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    breaches = check(pathlib.Path(arguments[0]))
    print("\n".join(breaches) or "every include keeps to the layers")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
