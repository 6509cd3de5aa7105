"""Who looks at the pages, and proof that a form came from them.

Nobody logs in: the pages are a toy on loopback, and whoever opens them picks a person to act as. The pick is kept in a
signed cookie. Every form carries a token made from that cookie, so that no other site can post in this one's name.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from node.sandbox.model import User
from node.sandbox.permissions import ADMINISTRATORS
from node.sandbox.store import World

_NONCE_BYTES = 18
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Session:
    """One browser: whom it acts as, and the value of its cookie."""

    user: User
    cookie: str


class Sessions:
    """Reads and writes the cookie. ``secret`` signs it; with another secret (after a restart) all start afresh."""

    def __init__(self, world: World, secret: bytes) -> None:
        self._world = world
        self._secret = secret

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None when it is absent, not ours, or its person is gone."""
        parts = (cookie or "").split(".")
        if len(parts) != _PARTS or not hmac.compare_digest(
            self._sign("cookie", *parts[:2]).encode(), parts[2].encode()
        ):
            return None
        user = self._world.user(base64.urlsafe_b64decode(parts[0]).decode())
        return Session(user, cookie or "") if user is not None and user.active else None

    def start(self, user: User | None = None) -> Session | None:
        """Return a new session for a person, by default an ordinary one; None when this Jira has nobody."""
        person = user if user is not None else self._somebody()
        if person is None:
            return None
        key = base64.urlsafe_b64encode(person.key.encode()).decode()
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return Session(person, f"{key}.{nonce}.{self._sign('cookie', key, nonce)}")

    def token(self, session: Session) -> str:
        """Return what every form of this session carries."""
        return self._sign("form", session.cookie)

    def accepts(self, session: Session, token: str) -> bool:
        """Return whether a form's token is this session's."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def _sign(self, *parts: str) -> str:
        return hmac.new(self._secret, "\0".join(parts).encode(), hashlib.sha256).hexdigest()

    def _somebody(self) -> User | None:
        """Return a person to start with, no administrator where there is a choice: the account that syncs is one."""
        active = [user for user in self._world.site.users.values() if user.active]
        ordinary = [user for user in active if ADMINISTRATORS not in user.groups]
        return next(iter(ordinary or active), None)
