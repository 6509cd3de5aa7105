"""The private keys of a node, as files that only its user can read, apart from the database.

``node.key`` is the node key; ``<conn>.key`` holds our two keys of one connection and the secret that message ids are
made with. A backup of the database therefore holds no key. A file is written whole or not at all, and one that others
could read is refused, never repaired: it may have been read already. Never shows a secret in a message or a repr.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from node.errors import ConfigError
from protocol.identity import ConnectionKeys, NodeKey

_PRIVATE_FILE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700
_FORMAT: Final = 1
_MID_KEY_BYTES: Final = 32
_NODE: Final = "node.key"
_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class ConnectionSecrets:
    """What is secret about one connection: our keys, and the key of `protocol.messages.message_id`."""

    keys: ConnectionKeys = field(repr=False)
    mid_key: bytes = field(repr=False)


class KeyFolder:
    """The folder ``keys/`` of a node. Small synchronous file work; callers run it where blocking is fine."""

    def __init__(self, folder: Path, random_bytes: Callable[[int], bytes]) -> None:
        self._folder = folder
        self._random_bytes = random_bytes

    def create_node_key(self) -> NodeKey:
        """Make the node's identity.

        Raises:
            ConfigError: if there is one already; a node never gets a second one by accident.
        """
        key = NodeKey.generate(self._random_bytes)
        self._write(_NODE, {"format": _FORMAT, "nk": key.to_bytes().hex()}, replace=False)
        return key

    def node_key(self) -> NodeKey:
        """Read the node's identity.

        Raises:
            ConfigError: if the file is missing, damaged or readable by others.
        """
        return self._parsed(_NODE, lambda data: NodeKey.from_bytes(bytes.fromhex(data["nk"])))

    def has_node_key(self) -> bool:
        """Tell whether this node has an identity."""
        return (self._folder / _NODE).exists()

    def identity(self, *, has_met: bool) -> NodeKey | None:
        """Read the node's identity; None where it has none yet. ``has_met`` tells whether it has connections.

        Raises:
            ConfigError: the file is missing though somebody knows this node by it, or it is damaged or readable by
                others.
        """
        if self.has_node_key():
            return self.node_key()
        if has_met:
            raise ConfigError(
                f"This node's key {self._folder / _NODE} is missing, but its database holds connections.",
                advice="Restore the folder keys/ from its own backup. If it is lost, this node cannot be who it was: "
                "make a new one with accord init in another folder, and pair again with each partner.",
            )
        return None

    def keep_connection(self, conn: bytes, keys: ConnectionKeys) -> ConnectionSecrets:
        """Keep fresh keys of connection ``conn`` (16 bytes) before the database names them; make its id secret.

        What a crash left of an earlier attempt is replaced: nobody outside has heard of those keys.
        """
        secrets = ConnectionSecrets(keys, self._random_bytes(_MID_KEY_BYTES))
        data = {"format": _FORMAT, "keys": secrets.keys.to_bytes().hex(), "mid": secrets.mid_key.hex()}
        self._write(_name(conn), data, replace=True)
        return secrets

    def connection(self, conn: bytes) -> ConnectionSecrets:
        """Read the secrets of connection ``conn``.

        Raises:
            ConfigError: if the file is missing, damaged or readable by others.
        """
        return self._parsed(_name(conn), _read_secrets)

    def has_connection(self, conn: bytes) -> bool:
        """Tell whether the secrets of this connection (still) exist."""
        return (self._folder / _name(conn)).exists()

    def destroy_connection(self, conn: bytes) -> None:
        """Delete the secrets of a connection that has ended; nothing happens if they are gone."""
        path = self._folder / _name(conn)
        if path.exists():
            path.unlink()
            _sync_folder(self._folder)

    def _write(self, name: str, data: dict[str, object], *, replace: bool) -> None:
        self._folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        self._refuse_if_open(self._folder)
        path = self._folder / name
        temporary = path.with_suffix(".new")
        temporary.unlink(missing_ok=True)  # a crash left it; nobody has used it
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            self._name_once(temporary, path)
        _sync_folder(self._folder)

    @staticmethod
    def _name_once(temporary: Path, path: Path) -> None:
        """Give the file its name; unlike a rename, a link never replaces what is there."""
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise ConfigError(
                f"The key file {path} exists already.", advice="Keep it: it is this node's identity."
            ) from None
        finally:
            temporary.unlink()

    def _parsed(self, name: str, parse: Callable[[dict[str, Any]], _Parsed]) -> _Parsed:
        path = self._folder / name
        try:
            self._refuse_if_open(self._folder)
            self._refuse_if_open(path)
            data = json.loads(path.read_text())
        except FileNotFoundError:
            raise ConfigError(
                f"The key file {path} is missing.",
                advice="Restore the keys folder from its own backup; without it this node cannot be who it was.",
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The key file {path} cannot be read ({type(error).__name__}).",
                advice="Look at its owner and permissions, or restore it from its backup.",
            ) from None
        try:
            return parse(data)
        except (KeyError, TypeError, ValueError):
            raise ConfigError(f"The key file {path} is damaged.", advice="Restore it from its backup.") from None

    def _refuse_if_open(self, path: Path) -> None:
        if os.name != "posix":
            return
        info = path.stat()
        if stat.S_IMODE(info.st_mode) & 0o077 or info.st_uid != os.geteuid():
            kind = "700" if stat.S_ISDIR(info.st_mode) else "600"
            raise ConfigError(
                f"{path} can be read by other users of this machine, or belongs to one.",
                advice=f"Find out who read it; then run chmod {kind} on it as the user that the node runs as.",
            )


def _read_secrets(data: dict[str, Any]) -> ConnectionSecrets:
    mid_key = bytes.fromhex(data["mid"])
    if len(mid_key) != _MID_KEY_BYTES:
        raise ValueError("a message id key of the wrong length")
    return ConnectionSecrets(ConnectionKeys.from_bytes(bytes.fromhex(data["keys"])), mid_key)


def _name(conn: bytes) -> str:
    return f"{conn.hex()}.key"


def _sync_folder(folder: Path) -> None:
    """Make a new or removed name durable (fsync(2) on the directory)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
