"""Every error the protocol raises on purpose, as one tree: whose fault it is and what to answer.

ProtocolError                 `.message` for people, `.advice`: the next step, or empty
├── Bad                       somebody's bytes are not what they should be   -> answer: the one refusal, HTTP 404
│   ├── BadContent            signed and sealed by the peer, but its content cannot be understood -> outcome 301
│   └── InvitationDamaged     the code a person pasted is incomplete, mistyped or newer -> told to that person
├── InvitationUnusable        the code is whole but cannot be used here: expired, one's own, for another node
├── TooLarge                  our own content does not fit the protocol's limits -> held on that issue
├── NotNow                    a step that the present state does not allow; nothing was changed -> told to the admin
└── VersionMismatch           the two nodes share no version of the protocol     -> told to both admins

All parsers of foreign bytes raise `Bad` and nothing else. Its text is one fixed sentence, so an answer or a log that
repeats it tells a stranger nothing about which check failed; `reason` names the check for our own admin and never
repeats foreign content. A misuse by our own code (a negative sequence number) is a plain `ValueError`.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """What happened, in a sentence; ``advice`` is what to do next, also a sentence, or empty."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class Bad(ProtocolError):
    """Bytes from outside that are refused. ``reason`` is for our own log only, never for the one who sent them."""

    TEXT = "These bytes are not a valid message for this connection."

    def __init__(self, reason: str) -> None:
        super().__init__(self.TEXT)
        self.reason = reason


class BadContent(Bad):
    """The envelope verified, its content cannot be understood: it still takes its place in the stream."""


class Mistyped(Bad):
    """What a person pasted or typed is not whole. The text is for that person."""

    def __init__(self, message: str, *, advice: str) -> None:
        super().__init__(message)
        self.args = (message,)
        self.message = message
        self.advice = advice


class InvitationUnusable(ProtocolError):
    """The code is whole, but cannot be used here and now."""


class TooLarge(ProtocolError):
    """What we want to send does not fit into the protocol's limits."""


class NotNow(ProtocolError):
    """The present state does not allow this step; nothing was changed."""


class VersionMismatch(ProtocolError):
    """The two nodes have no protocol version in common."""
