"""One process per data directory, held by an advisory lock that the kernel drops with the process.

Never deletes the lock file: a deleted file can be locked twice, by two processes that both opened a name.
"""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from node.store.errors import StoreLocked, StoreUnavailable

LOCK_NAME = "accord.lock"
_TEXT_LIMIT = 200


class DirectoryLock:
    """The held lock; released by ``release`` or by the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> DirectoryLock:
        """Lock the directory, at once or not at all.

        Raises:
            StoreLocked: another process holds it; the message says which.
            StoreUnavailable: the lock file cannot be opened.
        """
        try:
            descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"the data directory {directory} cannot be locked: {error.strerror}",
                advice="Check that the directory exists and that this user may write to it.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, _TEXT_LIMIT, 0).decode("utf-8", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreLocked(
                f"another accord process uses the directory {directory}: {holder}",
                advice="Stop that process, or give this one a directory of its own.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let others have the directory."""
        os.close(self._descriptor)
