"""What a process gives up before it reads files from strangers: network, files, other programs, other processes.

Landlock (Linux 5.13) lets it open nothing but the code it runs, for reading; a seccomp filter lets it make no connection,
start no program and touch no other process. Both hold for good, and for whatever it starts. Where the kernel has not the
one or the other, the rest holds, and `core doctor` says what does not (`lacking`).

Sources: the kernel's Documentation/userspace-api/landlock.rst and seccomp_filter.rst, and its tables of system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["confine", "lacking", "stay_offline"]

_PROJECT = Path(__file__).resolve().parents[2]
_OWN_CODE = ("core", "db", "models")
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
)  # fmt: skip
"""Beside Python's own folders: libraries, and what they ask of the machine when they are loaded."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Version of Landlock's interface -> how many rights to files it knows; later ones know those of the last."""
_TCP_FROM, _TCP_RIGHTS = 4, 0b11
_SCOPES_FROM, _SCOPES = 6, 0b11
"""Sockets by an abstract name, and signals."""

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_THREAD = 0x00010000
"""clone(2): a thread of this process, not another one."""
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_CONNECTING = {
    # socket connect accept bind listen socketpair sendto sendmsg accept4 sendmmsg, ptrace process_vm_readv
    # process_vm_writev pidfd_getfd, io_uring_setup
    "x86_64": (41, 42, 43, 49, 50, 53, 44, 46, 288, 307, 101, 310, 311, 438, 425),
    "aarch64": (198, 203, 202, 200, 201, 199, 206, 211, 242, 269, 117, 270, 271, 438, 425),
}
"""What makes a connection, or lets another process or the kernel make it."""
_STARTING = {
    # execve execveat, fork vfork, kill tkill pidfd_open pidfd_send_signal,
    # bpf perf_event_open userfaultfd, add_key request_key keyctl, mount umount2 pivot_root chroot unshare setns,
    # init_module finit_module kexec_load, name_to_handle_at open_by_handle_at
    "x86_64": (
        59, 322, 57, 58, 62, 200, 434, 424,
        321, 298, 323, 248, 249, 250, 165, 166, 155, 161, 272, 308,
        175, 313, 246, 303, 304,
    ),
    "aarch64": (
        221, 281, 129, 130, 434, 424,
        280, 241, 282, 217, 218, 219, 40, 39, 41, 51, 97, 268,
        105, 273, 104, 264, 265,
    ),
}  # fmt: skip
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_OF_ALL_THREADS = 1


def lacking() -> Sequence[str]:
    """Return what this machine cannot take from the process that reads files, in words; nothing is given up by asking."""
    found = []
    if _landlock_version() < 1:
        found.append("it could open files of this account (the kernel has no Landlock)")
    if not _has_filters():
        found.append("it could make connections (no seccomp filter for this machine)")
    return found


def confine() -> None:
    """Give up for good whatever reading files does not need; to be called before a library has started threads of its own."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return
    if (version := _landlock_version()) >= 1:
        _close_files(libc, version)
    if _has_filters():
        _close_calls(libc)


def stay_offline() -> None:
    """Give up making connections for good, in all threads that this process has; what it starts can make none either.

    For a process that still opens files and starts programs, and has started threads, for which Landlock comes too late.
    Where the kernel has no such filter, nothing is given up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not _has_filters() or libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return
    machine = platform.machine()
    program = _program(machine, _CONNECTING[machine])
    buffer = ctypes.create_string_buffer(program, len(program))
    said = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    if libc.syscall(_SECCOMP[machine], 1, _OF_ALL_THREADS, said):
        raise OSError(ctypes.get_errno(), "The kernel takes no filter of system calls")


def _landlock_version() -> int:
    """Return the version of Landlock's interface that the kernel has; 0 where it has none, or it is switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    found: int = ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(found, 0)


def _has_filters() -> bool:
    return platform.machine() in _ARCHITECTURES and Path("/proc/sys/kernel/seccomp").is_dir()


def _close_files(libc: ctypes.CDLL, version: int) -> None:
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    tcp = _TCP_RIGHTS if version >= _TCP_FROM else 0
    scopes = _SCOPES if version >= _SCOPES_FROM else 0
    # An older kernel takes the part of it that it knows.
    said = struct.pack("=QQQ", files, tcp, scopes)[: 8 if not tcp else 16 if not scopes else 24]
    rules = libc.syscall(_CREATE_RULESET, said, ctypes.c_size_t(len(said)), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "Landlock takes no rules")
    try:
        for path in _code():
            _may_read(libc, rules, path)
        if libc.syscall(_RESTRICT_SELF, rules, 0):
            raise OSError(ctypes.get_errno(), "Landlock does not hold")
    finally:
        os.close(rules)


def _code() -> Iterator[str]:
    """Yield the folders that hold the code which runs here, and what libraries ask of the machine."""
    yield from {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    yield from (str(_PROJECT / name) for name in _OWN_CODE)
    yield from _SYSTEM
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))


def _may_read(libc: ctypes.CDLL, rules: int, path: str) -> None:
    with contextlib.suppress(OSError):  # what there is not need not be read
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights = _READ_FILE | _READ_DIR if Path(path).is_dir() else _READ_FILE
            libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, found), 0)
        finally:
            os.close(found)


def _close_calls(libc: ctypes.CDLL) -> None:
    machine = platform.machine()
    program = _program(machine, _CONNECTING[machine] + _STARTING[machine], threads_only=True)
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where they stand.
    said = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(_SET_SECCOMP, _FILTER_MODE, said, 0, 0):
        raise OSError(ctypes.get_errno(), "The kernel takes no filter of system calls")


def _program(machine: str, refused: Sequence[int], *, threads_only: bool = False) -> bytes:
    """Return the filter: classic BPF over struct seccomp_data (number at 0, architecture at 4, first argument at 16).

    With `threads_only` a process that is no thread of this one is refused too.
    """
    refuse = _instruction(0x06, _REFUSE | errno.EPERM)
    lines = [
        _instruction(0x20, 4),
        _instruction(0x15, _ARCHITECTURES[machine], yes=1),
        refuse,
        _instruction(0x20, 0),
    ]
    if machine == "x86_64":
        lines += [_instruction(0x35, _X32, no=1), refuse]
    for number in refused:
        lines += [_instruction(0x15, number, no=1), refuse]
    if threads_only:
        # What clone3 is asked for cannot be looked at: the C library takes clone where there is none.
        lines += [_instruction(0x15, _CLONE3, no=1), _instruction(0x06, _REFUSE | errno.ENOSYS)]
        lines += [
            _instruction(0x15, _CLONE[machine], no=3),
            _instruction(0x20, 16),
            _instruction(0x45, _THREAD, yes=1),
            refuse,
        ]
    return b"".join([*lines, _instruction(0x06, _ALLOW)])


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
