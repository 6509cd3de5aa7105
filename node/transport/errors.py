"""What goes wrong between two nodes, as a branch of `node.errors.PeerError`.

PeerError
├── PeerUnreachable     no answer: refused, timed out, no such name                                -> tried again
│   └── PeerUntrusted   its certificate is not trusted; nothing was sent             -> tried again, told to the admin
├── PeerBusy            429 or 503, `.retry_after` in seconds or None                              -> tried again
├── PeerUnknown         404: it does not know this connection, or does not believe us              -> tried again
├── PeerNonsense        an answer that the protocol does not allow, or that does not verify        -> tried again
└── AddressRefused      its URL is not one that this node may call                                 -> told to the admin

None of them moves any state but the back-off: an HTTP status is not signed, so it proves nothing.
"""

from __future__ import annotations

from node.errors import PeerError


class PeerUnreachable(PeerError):
    """No answer came."""


class PeerUntrusted(PeerUnreachable):
    """Whoever answers shows no certificate that this machine trusts; nothing was sent."""


class PeerBusy(PeerError):
    """The peer, or something in front of it, asks for patience. ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, retry_after: float | None, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


class PeerUnknown(PeerError):
    """The peer answers as it answers a stranger."""


class PeerNonsense(PeerError):
    """The peer's answer is not one that the protocol allows."""


class AddressRefused(PeerError):
    """The peer's URL is not one that this node may call."""


def waits_for_people(error: PeerError) -> bool:
    """Tell whether an error lasts until somebody does something, so that they should hear of it at once."""
    return isinstance(error, PeerUntrusted | AddressRefused)
