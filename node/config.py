"""The settings of one node: a folder with ``accord.toml``, secrets in files of their own, the database and the keys.

Reads and writes settings; never holds a connection's rules, which are in the database. A secret is read where it is
needed and shown nowhere.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from tomlkit.exceptions import TOMLKitError

from node.errors import ConfigError
from node.rules.guard import GuardPolicy
from node.rules.toml_faults import TomlFault, told, toml_fault
from node.rules.toml_places import Shown
from node.shape_words import first_problem, place_of
from node.tls import trusting

SETTINGS = "accord.toml"
USUAL_FOLDER = Path(".accord")
DEFAULT_PORT = 8470
DEFAULT_ADMIN_PORT = 8471


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
"""No user name and password: settings are no secret, and peers see the addresses of issues."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NAME)]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=URL)]


class NodeSettings(_Settings):
    """Who this node is and where it listens."""

    name: Name
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    public_url: Url | None = None
    """Where peers reach this node; without it the peer must have one."""
    admin_port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_ADMIN_PORT
    """The command line talks to this port, which is open on the loopback only."""


class JiraSettings(_Settings):
    """Our Jira. Without ``user`` the token is a personal access token, else ``user`` and token are sent as Basic."""

    url: Url
    user: str | None = None
    webhook_url: Url | None = None
    """Where Jira reaches this node, if that is not ``public_url``."""
    webhooks: Literal["auto", "manual", "off"] = "auto"
    """``auto`` registers our webhook, ``manual`` expects an admin to, ``off`` relies on sweeps alone."""
    parallel: Annotated[int, Field(ge=1, le=32)] = 4


class SyncSettings(_Settings):
    """How the node behaves. Times in seconds, sizes in megabytes (1,000,000 bytes)."""

    sweep: Annotated[float, Field(gt=0, le=86_400)] = 300
    sweep_without_webhooks: Annotated[float, Field(gt=0, le=86_400)] = 15
    max_file: Annotated[int, Field(ge=1, le=2000)] = 250
    allow_http: bool = False
    """Peers may be reached over plain http. Messages are signed and sealed all the same."""
    allow_private_peers: bool = False
    """Peers may have addresses of a private network."""
    must_compare: bool = False
    """A connection carries issues only after the short codes were compared."""


class GuardSettings(GuardPolicy):
    """What the guard lets pass on all connections; see ``docs/rules.md``."""

    emails_in_texts: bool = False
    """Let e-mail addresses pass within summary, description, environment and comments."""


class TlsSettings(_Settings):
    """Whose certificates count, beside those that the machine trusts."""

    ca_file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """A file with the certificates (PEM) of authorities of your own; they count for Jira and for peers."""


class Settings(_Settings):
    """All of ``accord.toml``."""

    node: NodeSettings
    jira: JiraSettings
    sync: SyncSettings = SyncSettings()
    guard: GuardSettings = GuardSettings()
    tls: TlsSettings = TlsSettings()
    users: dict[str, str] = Field(default_factory=dict)
    """The user map: a name or e-mail address of a peer's people, and our user id."""


_IN_WORDS = {
    NAME: "begin with a letter or a digit, and use only letters, digits, dots, dashes and underscores",
    URL: "write an address like https://jira.example.org, without user name, password, query or fragment",
}


def what_is_wrong(error: ValidationError) -> str:
    """Name the first setting that is not right and say what it should be; never repeats its value."""
    first = error.errors(include_url=False, include_input=False)[0]
    known = _IN_WORDS.get(first.get("ctx", {}).get("pattern", ""))
    return f"{place_of(first['loc'])}: {known}." if known is not None else f"{first_problem(error)}."


def _read_toml(data: bytes, path: Path) -> dict[str, Any]:
    """Read the bytes of settings. Raises ConfigError with the place, and the line without what may be a password."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").split("\n")
        row = data.decode("utf-8", "replace").split("\n")[len(before) - 1]
        fault = TomlFault(Shown(len(before), len(before[-1]) + 1, row), "this is not UTF-8", "Save the file as UTF-8.")
    else:
        try:
            return tomlkit.parse(text).unwrap()
        except (TOMLKitError, ValueError, RecursionError) as error:
            fault = toml_fault(text, error, tables="[node], [jira] or [sync]")
    shown = Shown(fault.at.line, fault.at.column, _PASSWORD.sub(lambda found: "*" * len(found[0]), fault.at.text))
    raise ConfigError(
        told(shown, fault.what, str(path)), advice=f"{fault.suggestion} Then try again.".strip()
    ) from None


_PASSWORD = re.compile(r"(?<=//)[^/\s]*(?=@)")
"""A user name and password in an address; neither belongs there, and neither is shown."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that does not show itself."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeFolder:
    """Where everything of one node is."""

    root: Path

    @property
    def database(self) -> Path:
        """The one database file."""
        return self.root / "accord.db"

    @property
    def keys(self) -> Path:
        """Private keys, apart from the database, so that a copy of it holds none."""
        return self.root / "keys"

    @property
    def blobs(self) -> Path:
        """Bytes of files on their way."""
        return self.root / "blobs"

    @property
    def running(self) -> Path:
        """Written while the node runs: where its admin API is."""
        return self.root / "running.json"

    @property
    def command(self) -> str:
        """How people call the command line for this node: ``accord``, with the folder where it is not the usual."""
        return "accord" if self.root == USUAL_FOLDER else f"accord --dir {self.root}"

    def settings(self) -> Settings:
        """Read ``accord.toml``.

        Raises:
            ConfigError: it is not there or cannot be understood.
        """
        path = self.root / SETTINGS
        try:
            return Settings.model_validate(_read_toml(path.read_bytes(), path))
        except FileNotFoundError:
            raise ConfigError(
                f"There is no Accord node in {self.root}.",
                advice="Create one with: accord init --name NAME --jira-url URL (or name its folder with --dir).",
            ) from None
        except ValidationError as error:
            raise ConfigError(f"{path}: {what_is_wrong(error)}", advice="Correct this setting.") from None
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {error.strerror}.", advice="Make it a file that you may read."
            ) from None

    def trust(self, settings: Settings) -> ssl.SSLContext | None:
        """Return a context that trusts the authorities of ``tls.ca_file`` too, None where there is none.

        Raises:
            ConfigError: the file cannot be used.
        """
        return trusting(None if settings.tls.ca_file is None else self.root / settings.tls.ca_file)

    def must_be_free(self) -> None:
        """Raise ConfigError where there is a node already."""
        if (self.root / SETTINGS).exists():
            raise ConfigError(
                f"There is an Accord node in {self.root} already.",
                advice="Choose another folder with --dir, or change its accord.toml.",
            )

    def create(self, settings: Settings, *, jira_token: Secret) -> None:
        """Make the folder with settings and fresh secrets.

        Raises:
            ConfigError: there is a node already, or the folder cannot be made.
        """
        self.must_be_free()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
            self._write_secret("jira-token", jira_token.value)
            self._write_secret("api-token", secrets.token_urlsafe(32))
            self._write_secret("webhook-token", secrets.token_urlsafe(32))
            self.write_settings(settings)
        except OSError as error:
            raise ConfigError(f"The node's folder {self.root} cannot be written: {error.strerror}.") from None

    def write_settings(self, settings: Settings) -> None:
        """Write ``accord.toml`` anew."""
        temporary = self.root / f".{SETTINGS}.new"
        temporary.write_text(tomlkit.dumps(settings.model_dump(mode="json", exclude_none=True)), "utf-8")
        temporary.replace(self.root / SETTINGS)

    def tell_running(self, *, admin_url: str, public_url: str) -> None:
        """Write where the node is to be found while it runs."""
        data = {"pid": os.getpid(), "admin_url": admin_url, "public_url": public_url}
        temporary = self.running.with_suffix(".new")
        temporary.write_text(json.dumps(data), "utf-8")
        temporary.replace(self.running)

    def secret(self, name: Literal["jira-token", "api-token", "webhook-token"]) -> Secret:
        """Read a secret.

        Raises:
            ConfigError: it is missing, or others may read its file.
        """
        path = self.root / "secrets" / name
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise ConfigError(f"{path} can be read by others.", advice=f"Close it with: chmod 600 {path}")
            return Secret(path.read_text("utf-8").strip())
        except OSError as error:
            raise ConfigError(
                f"The secret file {path} cannot be read: {error.strerror}.",
                advice="Restore it from a backup, or run accord init in a new folder.",
            ) from None

    def replace_jira_token(self, token: Secret) -> None:
        """Keep a new Jira token in place of the old one."""
        self._write_secret("jira-token", token.value)

    def _write_secret(self, name: str, value: str) -> None:
        folder = self.root / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        temporary = folder / f".{name}.new"
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
