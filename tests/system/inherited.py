#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What whoever started svd has (ignored signals, keys, capabilities, personality, protection from the OOM killer, descriptors, groups) does
not reach an app."""
import ctypes
import os
import pathlib
import signal
import sys

from harness import Daemon, check, equal, run, say, status_of

UID = 300_000 + os.getpid() % 100_000  # nobody else's
LIBC = ctypes.CDLL(None, use_errno=True)
KEYCTL, ADD_KEY = 250, 248  # x86_64
PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 29, 30, 41, 42, 28, 47
NO_SETUID_FIXUP, ADDR_NO_RANDOMIZE = 4, 0x0040000
CAP_SYS_RESOURCE = 24
MAY_PROTECT = int(status_of("self")["CapEff"], 16) >> CAP_SYS_RESOURCE & 1

# What the app tells of itself; the keyring by whether a key that the starter added is found.
LOOK = """
import ctypes, os, pathlib, sys
libc = ctypes.CDLL(None, use_errno=True)
status = pathlib.Path('/proc/self/status').read_text()
wanted = ('SigBlk', 'SigIgn', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'Groups', 'Umask')
lines = [line for line in status.splitlines() if line.split(':')[0] in wanted]
lines.append('personality:\\t' + pathlib.Path('/proc/self/personality').read_text().strip())
lines.append('oom:\\t' + pathlib.Path('/proc/self/oom_score_adj').read_text().strip())
lines.append('fds:\\t' + ' '.join(sorted(os.listdir('/proc/self/fd'))[:4]))
lines.append('thp:\\t%d' % libc.prctl(42, 0, 0, 0, 0))
lines.append('slack:\\t%d' % libc.prctl(30, 0, 0, 0, 0))
lines.append('key:\\t%d' % libc.syscall(250, 10, -3, b'user', b'svd-test-secret', 0))
lines.append('securebits:\\t%d' % libc.prctl(27, 0, 0, 0, 0))
lines.append('secret:\\t' + os.environ.get('SECRET', ''))
lines.append('session:\\t%d' % (os.getsid(0) == os.getpid()))
with open(sys.argv[1] + '.new', 'w') as out: out.write('\\n'.join(lines) + '\\n')
os.rename(sys.argv[1] + '.new', sys.argv[1])
import signal; signal.pause()
"""


class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def set_inheritable():
    data = (ctypes.c_uint32 * 6)()
    header = Header(0x20080522, 0)
    LIBC.capget(ctypes.byref(header), data)
    data[2], data[5] = data[1], data[4]
    check(LIBC.capset(ctypes.byref(header), data) == 0, "inheritable capabilities")
    for number in range(41):
        LIBC.prctl(PR_CAP_AMBIENT, 2, number, 0, 0)


def get_dirty():
    """In the process that becomes svctl, and starts svd."""
    for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGINT, signal.SIGALRM})
    LIBC.personality(ADDR_NO_RANDOMIZE)
    LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    LIBC.prctl(PR_SET_TIMERSLACK, 7_000_000, 0, 0, 0)
    LIBC.syscall(KEYCTL, 1, None)
    LIBC.syscall(ADD_KEY, b"user", b"svd-test-secret", b"x", 1, -3)
    os.umask(0o077)
    os.setgroups([4, 5, 6, 4242])
    if MAY_PROTECT:
        pathlib.Path("/proc/self/oom_score_adj").write_text("-700")
    set_inheritable()
    LIBC.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)
    for fd in (9, 77):
        os.dup2(1, fd, inheritable=True)


def looks(svd, name):
    path = svd.directory / name / "seen"
    svd.wait_until(path.exists, f"{name} has looked")
    return dict(line.split(":\t", 1) for line in path.read_text().splitlines())


def an_app_starts_clean():
    """an app of another user, one of root's without capabilities, and a plain one, from a dirty starter"""
    with Daemon(SECRET="hunter2") as svd:
        svd.directory.chmod(0o755)
        script = svd.write(LOOK, "look.py")
        apps = {"other": f'user: "{UID}", group: "{UID}"', "bare": "harden: { capabilities: [] }", "plain": "nice: 0"}
        text = "version: 1\nname: t\napps:\n"
        for name, more in apps.items():
            (svd.directory / name).mkdir()
            os.chown(svd.directory / name, UID if name == "other" else 0, -1)
            text += f"  {name}: {{ exec: [{sys.executable}, -I, -S, {script}, {svd.directory}/{name}/seen], cwd: /, logs: {{ to: none }}, {more} }}\n"
        text = text.replace(sys.executable, "/usr/bin/python3")
        svd.svctl("apply", svd.write(text), preexec_fn=get_dirty, close_fds=False)
        daemon = svd.daemon()
        if MAY_PROTECT:
            equal(pathlib.Path(f"/proc/{daemon['pid']}/oom_score_adj").read_text().strip(), "-700", "the daemon keeps its protection")
        for name in apps:
            seen = looks(svd, name)
            say(f"   {name}: {seen}")
            # Python itself ignores SIGPIPE (13) and SIGXFSZ (25).
            equal(int(seen["SigIgn"], 16) & ~(1 << 12 | 1 << 24), 0, f"{name}: ignored signals")
            equal(int(seen["SigBlk"], 16), 0, f"{name}: blocked signals")
            equal(seen["personality"], "00000000", f"{name}: personality")
            equal(seen["oom"], "0", f"{name}: oom_score_adj")
            equal(seen["fds"], "0 1 2 3", f"{name}: descriptors (3 is the listing itself)")
            equal(seen["thp"], "0", f"{name}: transparent huge pages are off")
            equal(seen["slack"], "50000", f"{name}: timer slack")
            equal(seen["key"], "-1", f"{name}: a key of the starter's session")
            equal(seen["securebits"], "0", f"{name}: securebits that keep rights over a change of user")
            equal(seen["secret"], "", f"{name}: its environment")
            equal(seen["Umask"], "0022", f"{name}: umask")
            equal(seen["session"], "1", f"{name}: a session of its own")
        other, bare = looks(svd, "other"), looks(svd, "bare")
        check(set(other["Groups"].split()) <= {str(UID)}, f"groups of the starter: {other['Groups']}")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            equal(int(other[kind], 16), 0, f"{kind} of another user's app")
            equal(int(bare[kind], 16), 0, f"{kind} of an app with `capabilities: []`")
        equal(int(bare["CapBnd"], 16), 0, "CapBnd of an app with `capabilities: []`")


if __name__ == "__main__":
    if os.geteuid() != 0:
        say("SKIPPED: most of it takes root to have")
        sys.exit(77)
    run(an_app_starts_clean)
