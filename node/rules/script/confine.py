"""What the process of a worker gives up before it sees a script: one function per layer, and the order of the layers.

Stands alone on the standard library, since it runs in a bare interpreter without site-packages. A layer that the
platform does not have is reported as absent; a layer that exists and fails to close is an error, and then the
worker must not start. Never undone: everything here lasts until the process ends.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from node.rules.script import syscalls

ADDRESS_SPACE = 1 << 30
"""Bytes of address space; the sandbox's own limit (32 MB) trips long before, this one stops a runaway worker."""

OPEN_FILES = 16
"""The loader needs one at a time; a flood of them has nowhere to go."""

_FIRST_INHERITED = 3
"""After input, output and errors."""

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_DUMPABLE = 38, 24, 4

# <linux/landlock.h>; the same numbers on every architecture (kernel 5.13 and later).
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION_FLAG = 1
_FS_EXECUTE, _FS_READ_FILE, _FS_READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/gnu/store")


class Absent(Exception):
    """The platform does not have this layer; the text says why."""


class Plan(NamedTuple):
    """What this process still needs after it is closed in: a program to become, or nothing but its open pipes."""

    executable: str | None = None


class Layer(NamedTuple):
    """One layer: whether it is on and a sentence for people."""

    name: str
    on: bool
    sentence: str


class Exec:
    """The one ``execve`` that the filter lets through: it compares the address of the path."""

    def __init__(self, path: str) -> None:
        self._path = ctypes.create_string_buffer(os.fsencode(path))

    @property
    def address(self) -> int:
        """Where the path lies in this process."""
        return ctypes.addressof(self._path)

    def become(self, arguments: Sequence[str]) -> int:
        """Replace this process, with an empty environment. Returns the errno where that failed."""
        argv = (ctypes.c_char_p * (len(arguments) + 1))(*[os.fsencode(a) for a in arguments], None)
        environment = (ctypes.c_char_p * 1)(None)
        _libc().execve(self._path, argv, environment)
        return ctypes.get_errno()


def enter(plan: Plan) -> tuple[list[Layer], Exec | None]:
    """Close this process in. Raises OSError where a layer exists but does not close."""
    target = Exec(plan.executable) if plan.executable else None
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("descriptors", _close_descriptors),
        ("limits", _limit),
        ("capabilities", _drop_capabilities),
        ("no-new-privileges", _no_new_privileges),
        ("landlock", lambda: _landlock(plan)),
        ("seccomp", lambda: _seccomp(target, plan)),
    )
    layers = []
    for name, step in steps:
        try:
            layers.append(Layer(name, on=True, sentence=step()))
        except Absent as reason:
            layers.append(Layer(name, on=False, sentence=str(reason)))
    return layers, target


def _close_descriptors() -> str:
    if sys.platform == "win32":
        raise Absent("Windows does not hand open files to the worker unless asked, but nothing here enforces it.")
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(_FIRST_INHERITED, highest if _FIRST_INHERITED < highest <= 1 << 20 else 1 << 16)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    return "No open file, socket or pipe of the node reaches the worker, only its two pipes."


def _limit() -> str:
    if sys.platform == "win32":
        raise Absent("Windows has no resource limits of this kind; only the engine's own limits hold.")
    import resource  # noqa: PLC0415 - not there on Windows

    wanted = [("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", OPEN_FILES), ("RLIMIT_MEMLOCK", 0)]
    if sys.platform == "linux":
        wanted += [("RLIMIT_AS", ADDRESS_SPACE), ("RLIMIT_MSGQUEUE", 0), ("RLIMIT_NICE", 0), ("RLIMIT_RTPRIO", 0)]
    for name, value in wanted:
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))
    memory = "1 GiB of address space, " if sys.platform == "linux" else ""
    return f"{memory}no file can grow, no core dump, {OPEN_FILES} open files at most."


def _drop_capabilities() -> str:
    _need_linux("capabilities")
    libc = _libc()
    capability = 0
    while libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if ctypes.get_errno() == errno.EPERM and capability == 0:
        return "The node has no privileges of root, so the worker has none."
    return "The privileges of root are given up for the worker and all that it could start."


def _no_new_privileges() -> str:
    _need_linux("no-new-privileges")
    _must(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(NO_NEW_PRIVS)")
    return "Nothing that the worker could start gains rights."


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what `_pack_` means; newer Pythons want it said
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def _landlock(plan: Plan) -> str:
    _need_linux("Landlock")
    libc = _libc()
    abi = libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION_FLAG)
    if abi < 1:
        raise Absent("This kernel does not have Landlock or has it switched off.")
    rules = _Ruleset(fs=(1 << _FS_RIGHTS_BY_ABI.get(abi, 16)) - 1)
    size = 8
    if abi >= 4:  # noqa: PLR2004 - the version that brought TCP rules
        rules.net, size = 3, 16
    if abi >= 6:  # noqa: PLR2004 - the version that brought scopes: abstract sockets and signals
        rules.scoped, size = 3, 24
    handle = _must(libc.syscall(_LANDLOCK_CREATE, ctypes.byref(rules), size, 0), "landlock_create_ruleset")
    if plan.executable is not None:
        for path in _LIBRARIES:
            _allow_path(handle, path, _FS_EXECUTE | _FS_READ_FILE | _FS_READ_DIR)
        _allow_path(handle, "/etc/ld.so.cache", _FS_READ_FILE)
        _allow_path(handle, plan.executable, _FS_EXECUTE | _FS_READ_FILE)
    _must(libc.syscall(_LANDLOCK_RESTRICT, handle, 0), "landlock_restrict_self")
    os.close(handle)
    opened = "only the system's libraries and the engine's program can be read" if plan.executable else "no file opens"
    network = ", no TCP" if abi >= 4 else ""  # noqa: PLR2004 - the same
    return f"The kernel's Landlock (version {abi}): {opened}, nothing can be written{network}."


def _allow_path(handle: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = _PathRule(allowed=rights, parent=descriptor)
        _must(_libc().syscall(_LANDLOCK_ADD, handle, 1, ctypes.byref(rule), 0), f"landlock_add_rule({path})")
    finally:
        os.close(descriptor)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _seccomp(target: Exec | None, plan: Plan) -> str:
    _need_linux("seccomp")
    if not syscalls.supported():
        raise Absent("There is no table of system calls for this processor; the worker runs without that filter.")
    code = syscalls.program(exec_address=target.address if target else None, may_open=plan.executable is not None)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(length=len(code) // 8, filter=ctypes.addressof(buffer))
    result = _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    if result != 0 and ctypes.get_errno() == errno.EINVAL:
        raise Absent("This kernel was built without seccomp filters.")
    _must(result, "prctl(SECCOMP)")
    return "A filter of system calls: no network, no new process, no file written, no other program."


def _need_linux(what: str) -> None:
    if not sys.platform.startswith("linux"):
        raise Absent(f"{what} exists on Linux only; on this platform the engine's own limits are the boundary.")


def _must(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def attempts() -> list[Layer]:
    """Try, from inside, what must not be possible. ``on`` says that it was refused."""
    return [_attempt(name, sentence, act) for name, sentence, act in _ATTEMPTS]


def _attempt(name: str, sentence: str, act: Callable[[], object]) -> Layer:
    try:
        act()
    except OSError as error:
        return Layer(name, on=True, sentence=f"{sentence}: refused ({errno.errorcode.get(error.errno or 0, '?')}).")
    return Layer(name, on=False, sentence=f"{sentence}: possible.")


def _fork() -> None:
    # Looked up late: Windows has none, and does not come here.
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _make_file() -> None:
    path = f"/tmp/accord-boundary-{os.getpid()}"  # noqa: S108 - O_EXCL follows nothing, and it goes at once
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    Path(path).unlink()


_ATTEMPTS: tuple[tuple[str, str, Callable[[], object]], ...] = (
    ("open-socket", "Opening a socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    ("read-file", "Reading /etc/passwd", lambda: Path("/etc/passwd").read_bytes()),
    ("write-file", "Making a file", _make_file),
    ("new-process", "Starting a process", _fork),
)
