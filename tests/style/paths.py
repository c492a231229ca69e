#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing in src/ goes to a file by its path with a plain system call: paths are walked (src/walk, files/trusted_path.h), since
others may write to what is on the way. What may is told here, file by file, with the reason why nobody else has a say there.

    paths.py SOURCE_DIR      says what breaks the rule, and which exceptions nobody needs; exit status 1 for either
    paths.py --self-test     planted breaches must be reported, and nothing else
"""
import pathlib
import re
import sys
import tempfile

CALLS = ("open open64 creat stat lstat access euidaccess chmod chown lchown unlink remove rename mkdir rmdir mkfifo "
         "mknod link symlink truncate readlink realpath opendir scandir nftw ftw fopen mkstemp mkostemp mkdtemp mount umount umount2 "
         "chdir chroot bind connect utimes utimensat statfs statvfs inotify_add_watch execve execv execvp setxattr").split()
CALL = re.compile(r"(?<![\w:.>])::(" + "|".join(CALLS) + r")\s*\(\s*([^,)]*)|std::(fopen|remove|rename)\s*\(|std::([io]?fstream)\b")
FILESYSTEM = re.compile(r"std::filesystem::(\w+)")
HARMLESS = {"path", "directory_entry", "file_time_type"}  # names only
# With this the calls that take a directory's descriptor are as the plain ones.
HERE = re.compile(r"\bAT_FDCWD\b")
FIXED = re.compile(r'^"/|^self_exe')  # a path that is written here leads where root says

OURS = "in a directory that was found to be ours alone (open_unshared_directory, check_own_directory)"
KERNEL = "in the kernel's own trees (/proc, /sys, cgroups)"
LOOK = "a look for words or sizes: nothing is read from it or done to it"
SOCKET = "an internet or abstract socket, or a fixed path"
CALLER = "with the caller's own rights, of the caller's own files"
ALLOWED = {
    # The walk itself, and what acts by its descriptors.
    "src/walk/walk.cpp": ("open AT_FDCWD", "the walk"),
    "src/keeper/harden.cpp": ("mount open", "held by a descriptor; a credential in a fresh mount of ours"),
    "src/kernel/bind_socket.cpp": ("bind connect lstat stat unlink open chmod", "class Ground: nobody else has a say, or with the user's rights"),
    "src/kernel/open_as.cpp": ("bind connect lstat unlink open", "with the rights of the program that asked"),
    "src/keeper/child.cpp": ("chdir execve", "as the app's user"),
    # Ours.
    "src/daemon/places.cpp": ("bind access open stat chown chmod unlink", OURS),
    "src/daemon/daemon_file.cpp": ("unlink rmdir lstat mkdir chmod", OURS),
    "src/daemon/daemon_place.cpp": ("open access", OURS),
    "src/daemon/place_watch.cpp": ("inotify_add_watch", OURS),
    "src/files/own_directory.cpp": ("stat open", "it is what tells whether it is ours"),
    "src/kernel/child_journal.cpp": ("open unlink", OURS),
    "src/kernel/credentials.cpp": ("mkdir open chown directory_iterator remove_all", OURS),
    "src/kernel/channels_saved.cpp": ("directory_iterator unlink", OURS),
    "src/kernel/notify.cpp": ("bind lchown lstat unlink", OURS),
    "src/kernel/former_base.cpp": ("AT_FDCWD open rmdir nftw", KERNEL),
    "src/kernel/strays.cpp": ("open", OURS),
    "src/kernel/passed.cpp": ("AT_FDCWD", OURS),
    "src/keeper/command.cpp": ("execvp", "the program beside our own one"),
    "src/keeper/serve.cpp": ("open", KERNEL),
    "src/daemon/main.cpp": ("stat", "the program beside our own one"),
    # The kernel's.
    "src/kernel/address_owner.cpp": ("opendir readlink ifstream", KERNEL),
    "src/kernel/cgroup_files.cpp": ("stat access", KERNEL),
    "src/kernel/cgroups.cpp": ("AT_FDCWD mkdir rmdir setxattr", KERNEL),
    "src/kernel/controllers.cpp": ("AT_FDCWD open mkdir access rmdir", KERNEL),
    "src/daemon/cpus.cpp": ("AT_FDCWD", KERNEL),
    "src/kernel/limits.cpp": ("directory_iterator", KERNEL),
    "src/kernel/proc.cpp": ("AT_FDCWD opendir readlink", KERNEL),
    "src/kernel/users.cpp": ("fopen", "/etc/passwd and /etc/group; other files in tests"),
    "src/bus/access.cpp": ("fopen", "/etc/passwd and /etc/group; other files in tests"),
    # Only looked at.
    "src/daemon/ecosystem_file.cpp": ("current_path", "the directory that we are in"),
    "src/kernel/channels.cpp": ("bind stat", "an abstract socket; of our own installed file: whether apps may read it"),
    "src/kernel/log_rotation.cpp": ("AT_FDCWD inotify_add_watch stat", LOOK),
    "src/kernel/logs.cpp": ("stat", LOOK),
    "src/kernel/processes_launch.cpp": ("access", "apart, in a process of its own; nothing is done with the answer"),
    "src/kernel/missing_program.cpp": ("access", LOOK),
    # Sockets.
    "src/kernel/connect_probe.cpp": ("connect", SOCKET),
    "src/kernel/log_drivers.cpp": ("connect", SOCKET),
    "src/keeper/relay.cpp": ("connect", SOCKET),
    "src/logtool/journal.cpp": ("connect", SOCKET),
    # svctl.
    "src/cli/daemon_seen.cpp": ("ifstream", KERNEL),
    "src/cli/launcher.cpp": ("access connect create_directories open read_symlink", OURS),
    "src/cli/log_trust.cpp": ("ifstream stat", KERNEL),
    "src/cli/peer.cpp": ("connect lstat weakly_canonical", "it is what tells whose daemon it is"),
    "src/cli/log_reader.cpp": ("inotify_add_watch", LOOK),
    "src/cli/machine.cpp": ("stat access ifstream", CALLER),
    "src/cli/system.cpp": ("access open stat", CALLER),
    "src/cli/temporary_home.cpp": ("mkdtemp remove_all rmdir", OURS),
    "src/files/log_layout.cpp": ("open", CALLER),
}


def calls_of(text):
    """(line number, name) of each plain call."""
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(?<!:)//.*", "", line)
        for match in CALL.finditer(line):
            if not (match[1] and FIXED.match(match[2])):
                yield number, match[1] or match[3] or match[4]
        for match in FILESYSTEM.finditer(line):
            if match[1] not in HARMLESS:
                yield number, match[1]
        if HERE.search(line):
            yield number, "AT_FDCWD"


def check(source, allowed):
    breaches, used = [], set()
    for path in sorted((source / "src").rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        name = str(path.relative_to(source))
        may = allowed.get(name, ("", ""))[0].split()
        for number, call in calls_of(path.read_text(encoding="utf-8")):
            used.add((name, call))
            if call not in may:
                breaches.append(f"{name}:{number}: {call} goes by a path that others may change: see files/trusted_path.h "
                                "(or tests/style/paths.py, with a reason)")
    for name, (calls, _) in allowed.items():
        breaches += [f"{name}: may use {call} and does not" for call in calls.split() if (name, call) not in used]
    return breaches


SAMPLE = {
    "src/a.cpp": '::open(path.c_str(), O_RDONLY);\n::open("/proc/self/exe", O_RDONLY);\n::openat(fd, "x", 0);\nfile.open(path);\n// ::stat(path)\n',
    "src/b.cpp": "::unlink(path);\n::stat(path, &about);\nstd::filesystem::remove_all(path);\nstd::filesystem::path name;\n",
    "src/c.h": "::openat(AT_FDCWD, path, 0);\nstd::ifstream file{path};\nresult(::mount(a, b, c));\n",
}
SAMPLE_ALLOWED = {"src/b.cpp": ("stat chmod", "")}
EXPECTED = ["src/a.cpp:1: open", "src/b.cpp:1: unlink", "src/b.cpp:3: remove_all", "src/c.h:1: AT_FDCWD", "src/c.h:2: ifstream", "src/c.h:3: mount",
            "src/b.cpp: may use chmod and does not"]


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for name, text in SAMPLE.items():
            path = pathlib.Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        found = [line.split(" goes by")[0] for line in check(pathlib.Path(root), SAMPLE_ALLOWED)]
    for line in sorted(set(EXPECTED) ^ set(found)):
        print(("missed: " if line in EXPECTED else "wrongly reported: ") + line)
    return 0 if sorted(found) == sorted(EXPECTED) else 1


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    breaches = check(pathlib.Path(arguments[0]), ALLOWED)
    print("\n".join(breaches) or "every path is walked")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
