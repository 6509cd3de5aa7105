"""Where a Jira is, how we prove there who we are, how long we wait, and which addresses are its own. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from node.errors import ConfigError
from node.trackers.jira.failures import clean


@dataclass(frozen=True, slots=True)
class Auth:
    """How we prove who we are: a bearer token, or a user with a token or password (Basic). The secret is not shown."""

    secret: str = field(repr=False)
    user: str | None = None
    """User name on Data Center, e-mail address on Cloud; None for a bearer token."""

    def __post_init__(self) -> None:
        texts = (self.secret, "-" if self.user is None else self.user)
        fine = all(text and text.isprintable() and text == text.strip() for text in texts)
        if not fine or ":" in (self.user or ""):
            raise ConfigError(
                "The Jira token or user cannot be used: it is empty, or has spaces or line breaks around or in it.",
                advice="Copy it again, without anything around it.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long calls may take, in seconds. ``slowest`` in bytes per second adds time for what is large."""

    connect: float = 10.0
    silence: float = 60.0
    """Between two bytes of an answer."""
    whole: float = 120.0
    """For everything, from the connection to the last byte."""
    slowest: int = 64 * 1024

    def for_bytes(self, count: int) -> float:
        """Return the time that a transfer of so many bytes may take."""
        return self.whole + count / self.slowest


def checked_url(url: str) -> str:
    """Return a Jira's address without a slash at its end. Raises ConfigError where it cannot be one."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and _port(parts) is not None
    except ValueError:
        fine = False
    if not fine or "@" in parts.netloc or parts.query or parts.fragment or "{" in url:
        raise ConfigError(
            f"{clean(url.rpartition('@')[2])!r} cannot be a Jira URL.",
            advice="Give the address from the browser, like https://jira.example.com, without a user or a query.",
        )
    return url.rstrip("/")


def owns(base: str, url: str) -> bool:
    """Tell whether an absolute address is on the tracker at ``base``: same scheme, host, port, and below its path."""
    try:
        ours, other = urlsplit(base), urlsplit(url)
        same = (ours.scheme, ours.hostname, _port(ours)) == (other.scheme, other.hostname, _port(other))
    except ValueError:
        return False
    path = unquote(other.path)
    plain = "@" not in other.netloc and "\\" not in url + path and "/../" not in f"{path}/"
    return same and plain and f"{other.path}/".startswith(f"{ours.path}/")


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine: no proxy has business there."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
