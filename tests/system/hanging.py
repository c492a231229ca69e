# SPDX-License-Identifier: Apache-2.0
"""A file system that never answers, and other ways in which a user keeps somebody who touches its files waiting."""
import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import sys
import threading

CLONE_NEWNS, MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 2, 4, 0x4000, 0x40000, 2
FUSE_FORGET, FUSE_GETATTR, FUSE_INIT, FUSE_INTERRUPT = 2, 3, 26, 36
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def own_mounts():
    """Mounts of this process and its children go nowhere else, and end with them."""
    call("unshare", CLONE_NEWNS)
    call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)


class Mount:
    """An empty directory on which only INIT, and the root's attributes, are answered. Requests for anything below it are read and never
    answered: whoever made one cannot even be killed before the end of this, unless it `yields` to signals."""

    def __init__(self, directory, yields=False):
        self.yields = yields
        self.directory = str(directory)
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self.asked = threading.Event()  # somebody waits
        self.wake = os.pipe()
        os.makedirs(self.directory, exist_ok=True)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        call("mount", b"svd-test", self.directory.encode(), b"fuse", MS_NOSUID | MS_NODEV, options.encode())
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def answer(self, unique, body, error=0):
        os.write(self.device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)

    def serve(self):
        while True:
            ready, _, _ = select.select([self.device, self.wake[0]], [], [])
            if self.wake[0] in ready:
                return
            try:
                request = os.read(self.device, 1 << 20)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue
                return
            _, what, unique, node = struct.unpack_from("<IIQQ", request)
            if what == FUSE_INIT:
                self.answer(unique, struct.pack("<IIIIHHIIHHIIII24x", 7, 31, 65536, 0, 8, 8, 65536, 1, 1, 0, 0, 0, 0, 0)[:64])
            elif what == FUSE_GETATTR and node == 1:
                attributes = struct.pack("<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
                self.answer(unique, struct.pack("<QII", 3600, 0, 0) + attributes)
            elif what == FUSE_INTERRUPT:
                if self.yields:
                    self.answer(struct.unpack_from("<Q", request, 40)[0], b"", errno.EINTR)
            elif what != FUSE_FORGET:
                self.asked.set()

    def close(self):
        """Whoever waits gets an error, and goes on."""
        os.write(self.wake[1], b"x")
        self.thread.join()
        os.close(self.device)
        LIBC.umount2(self.directory.encode(), MNT_DETACH)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


def as_user(uid, work):
    """Runs `work` in a process of that user, until it is killed; returns its pid when it says that it is ready (its argument)."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ready)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            work(lambda: os.write(told, b"."))
        finally:
            os._exit(1)
    os.close(told)
    begun = os.read(ready, 1)
    os.close(ready)
    assert begun, "the user's process failed"
    return pid


def hold_lease(path):
    """A write lease, kept as long as the kernel allows (/proc/sys/fs/lease-break-time): open(2) and execve(2) of others wait for it."""
    def work(ready):
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fd = os.open(path, os.O_RDWR)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        ready()
        while True:
            signal.pause()
    return work


def stop_everything(ready):
    """SIGSTOP to all other processes of this user, again and again."""
    ready()
    while True:
        try:
            os.kill(-1, signal.SIGSTOP)
        except ProcessLookupError:
            pass


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):  # the end of a test that failed was first
        pass


def why_no_fuse():
    if os.geteuid() != 0:
        return "mounting takes root"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        return f"no FUSE here: {error}"
    return ""


if __name__ == "__main__":  # hanging.py DIRECTORY: for a look at it by hand
    with Mount(sys.argv[1]):
        signal.pause()
