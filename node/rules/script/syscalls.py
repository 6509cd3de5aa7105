"""The system calls that a worker may make, as a filter for the kernel (seccomp, classic BPF).

Stands alone on the standard library: the launcher loads it before anything else is there. Only builds the program;
``confine`` installs it. Numbers are those of the kernel's ``unistd`` headers (x86_64, and asm-generic for aarch64).
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from typing import NamedTuple

# <linux/audit.h>: the architecture must be compared first, since the same number means another call elsewhere.
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

# <linux/seccomp.h>
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL = 0x80000000

# <linux/bpf_common.h>: load word, and, jump if equal / greater or equal, return.
_LD, _AND, _JEQ, _JGE, _RET = 0x20, 0x54, 0x15, 0x35, 0x06
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16

_WORD = 0xFFFFFFFF
_CLONE_THREAD = 0x00010000
_PROT_WRITE, _PROT_EXEC = 2, 4
_MAP_ANONYMOUS = 0x20
_PR_SET_NAME = 15
# Everything about opening that writes, makes or truncates: access mode, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE.
_OPEN_WRITES = 3 | os.O_CREAT | os.O_TRUNC | os.O_APPEND | (getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY)


class _Condition(NamedTuple):
    """``argument & mask == value``; ``high`` looks at the upper half of a 64-bit argument."""

    argument: int
    mask: int
    value: int
    high: bool = False


# name, number on x86_64, number on aarch64 (None: that kernel does not have it); the busiest first.
_PLAIN: tuple[tuple[str, int | None, int | None], ...] = (
    ("read", 0, 63), ("write", 1, 64), ("futex", 202, 98), ("clock_gettime", 228, 113), ("poll", 7, None),
    ("ppoll", 271, 73), ("munmap", 11, 215), ("brk", 12, 214), ("mremap", 25, 216),
    ("madvise", 28, 233), ("close", 3, 57), ("fstat", 5, 80), ("lseek", 8, 62), ("rt_sigaction", 13, 134),
    ("rt_sigprocmask", 14, 135), ("rt_sigreturn", 15, 139), ("pread64", 17, 67), ("readv", 19, 65),
    ("writev", 20, 66), ("access", 21, None), ("faccessat", 269, 48), ("faccessat2", 439, 439),
    ("sched_yield", 24, 124), ("nanosleep", 35, 101), ("clock_nanosleep", 230, 115), ("clock_getres", 229, 114),
    ("getpid", 39, 172), ("gettid", 186, 178), ("exit", 60, 93), ("exit_group", 231, 94), ("uname", 63, 160),
    ("fcntl", 72, 25), ("readlink", 89, None), ("readlinkat", 267, 78), ("sigaltstack", 131, 132),
    ("arch_prctl", 158, None), ("sched_getaffinity", 204, 123), ("set_tid_address", 218, 96),
    ("newfstatat", 262, 79), ("statx", 332, 291), ("set_robust_list", 273, 99), ("getrandom", 318, 278),
    ("rseq", 334, 293), ("getrlimit", 97, 163), ("getuid", 102, 174), ("geteuid", 107, 175), ("getgid", 104, 176),
    ("getegid", 108, 177), ("restart_syscall", 219, 128), ("membarrier", 324, 283),
)  # fmt: skip


def supported() -> bool:
    """Whether there is a table for this processor."""
    return platform.system() == "Linux" and platform.machine() in _AUDIT_ARCH


def program(*, exec_address: int | None, may_open: bool) -> bytes:
    """Build the filter for this process and what it becomes by ``execve``.

    ``exec_address`` is the address of the one path that may be executed (None: nothing may be); ``may_open`` lets
    files be opened for reading. Everything that is not named is refused with EPERM. Raises KeyError where
    ``supported`` is False.
    """
    machine = platform.machine()
    column = 1 if machine == "x86_64" else 2
    code = [
        _statement(_LD, _OFFSET_ARCH),
        _jump(_JEQ, _AUDIT_ARCH[machine], 1, 0),
        _statement(_RET, _KILL),
        _statement(_LD, _OFFSET_NR),
    ]
    if machine == "x86_64":
        code += [_jump(_JGE, _X32_BIT, 0, 1), _statement(_RET, _KILL)]
    for row in _PLAIN:
        number = row[column]
        if number is not None:
            code += [_jump(_JEQ, int(number), 0, 1), _statement(_RET, _ALLOW)]
    for x86, arm, conditions in _conditional(exec_address=exec_address, may_open=may_open):
        code += _rule(x86 if column == 1 else arm, conditions)
    # glibc and Rust try clone3 first; "not implemented" sends them to clone, whose flags a filter can see.
    code += [_jump(_JEQ, 435, 0, 1), _statement(_RET, _ERRNO | errno.ENOSYS)]
    code.append(_statement(_RET, _ERRNO | errno.EPERM))
    return b"".join(code)


def _conditional(*, exec_address: int | None, may_open: bool) -> list[tuple[int, int, list[_Condition]]]:
    rules = [
        # Memory is data: no new code is made at run time.
        (9, 222, [_Condition(2, _PROT_EXEC, 0)]),
        (10, 226, [_Condition(2, _PROT_EXEC, 0)]),
        # Threads, never processes.
        (56, 220, [_Condition(0, _CLONE_THREAD, _CLONE_THREAD)]),
        (157, 167, [_Condition(0, _WORD, _PR_SET_NAME)]),
        # abort(): a signal to itself, to nobody else.
        (234, 131, [_Condition(0, _WORD, os.getpid())]),
        # Reading limits, not setting them.
        (302, 261, [_Condition(2, _WORD, 0), _Condition(2, _WORD, 0, high=True)]),
    ]
    if may_open:
        rules.append((257, 56, [_Condition(2, _OPEN_WRITES, 0)]))
        # The loader maps libraries as code: from a file, never writable at the same time.
        rules.append((9, 222, [_Condition(2, _PROT_WRITE, 0), _Condition(3, _MAP_ANONYMOUS, 0)]))
    if exec_address is not None:
        low, high = exec_address & _WORD, exec_address >> 32
        rules.append((59, 221, [_Condition(0, _WORD, low), _Condition(0, _WORD, high, high=True)]))
    return rules


def _rule(number: int, conditions: list[_Condition]) -> list[bytes]:
    """Allow ``number`` where all conditions hold; otherwise go on with the next rule."""
    body: list[bytes] = []
    for position, condition in enumerate(conditions):
        offset = _OFFSET_ARGS + 8 * condition.argument + (4 if condition.high else 0)
        rest = 3 * (len(conditions) - position - 1) + 1
        body += [
            _statement(_LD, offset),
            _statement(_AND, condition.mask),
            _jump(_JEQ, condition.value, 0, rest),
        ]
    body.append(_statement(_RET, _ALLOW))
    # The conditions replaced the number in the accumulator; whoever comes next needs it again.
    body.append(_statement(_LD, _OFFSET_NR))
    return [_jump(_JEQ, number, 0, len(body)), *body]


def _statement(code: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, 0, 0, value)


def _jump(code: int, value: int, if_true: int, if_false: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
