"""The pieces that all pages share: the frame with its bar, names and pictures of people, types, states, moments."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from node.sandbox.clock import zone_of
from node.sandbox.model import Issue, User
from node.sandbox.store import World
from node.sandbox.web.html import Child, Html, document, join, tag

STYLE = "/assets/style.css"
SCRIPT = "/assets/script.js"
_HUES = 8
_TYPE_LOOKS = ("bug", "story", "epic", "improvement", "feature", "sub")
_MINUTE, _HOUR, _DAY, _MONTH = 60, 3_600, 86_400, 30 * 86_400


@dataclass(frozen=True, slots=True)
class View:
    """Who looks at what: the world, the person, the token that this person's forms carry, and the address shown."""

    world: World
    user: User
    token: str
    address: str

    def form(self, action: str, *children: Child, upload: bool = False, class_: str | None = None) -> Html:
        """Return a form that posts to ``action`` with the token in it."""
        return tag(
            "form",
            tag("input", type="hidden", name="token", value=self.token),
            children,
            action=action,
            method="post",
            enctype="multipart/form-data" if upload else None,
            class_=class_,
        )

    def page(self, title: str, *content: Child, current: str = "") -> str:
        """Return a whole page with the bar on top; ``current`` is the address of the bar's entry that it is under."""
        site = self.world.site.title
        entries = (("/", "Overview"), ("/issues", "Issues"))
        bar = tag(
            "header",
            tag("a", tag("span", class_="mark"), site, href="/", class_="brand"),
            tag(
                "nav",
                [
                    tag("a", name, href=address, aria_current="page" if address == current else None)
                    for address, name in entries
                ],
            ),
            tag("a", "Create issue", href="/create", class_="button main"),
            tag("span", class_="space"),
            self._whoami(),
            class_="bar",
        )
        return document(f"{title} - {site}", tag("body", bar, tag("main", content)), style=STYLE, script=SCRIPT)

    def _whoami(self) -> Html:
        people = sorted(self.world.site.users.values(), key=lambda user: user.display_name.casefold())
        options = [
            tag("option", user.display_name, value=user.key, selected=user.key == self.user.key)
            for user in people
            if user.active
        ]
        return self.form(
            "/user",
            tag("input", type="hidden", name="back", value=self.address),
            avatar(self.user),
            tag("select", options, name="user", id="acting", data_submit=True, aria_label="Acting as"),
            tag("button", "Switch", data_without_script=True),
            class_="whoami",
        )

    def moment(self, moment_ms: int) -> Html:
        """Return a moment as a person says it; the exact one, in the person's own zone, shows on hovering."""
        exact = datetime.fromtimestamp(moment_ms / 1000, zone_of(self.user.time_zone))
        return tag(
            "time",
            _said((self.world.now() - moment_ms) // 1000, exact),
            datetime=exact.isoformat(timespec="seconds"),
            title=f"{exact:%d %b %Y %H:%M:%S %Z}",
        )

    def person(self, key: str | None, nobody: str = "None") -> Html:
        """Return a person's picture and name."""
        user = self.world.user(key)
        if user is None:
            return tag("span", key or nobody, class_="muted")
        return tag("span", avatar(user), user.display_name)

    def status(self, status_id: str) -> Html:
        """Return a status as a coloured word."""
        status = self.world.site.statuses[status_id]
        return tag("span", status.name, class_=f"lozenge {status.category}")

    def type(self, type_id: str) -> Html:
        """Return an issue type's sign; its name shows on hovering."""
        name = self.world.site.issue_types[type_id].name
        look = next((look for look in _TYPE_LOOKS if look in name.casefold()), "")
        return tag("span", name[:1].upper(), class_=f"type {look}".strip(), title=name)

    def link(self, issue: Issue) -> Html:
        """Return an issue's sign, key and summary, leading to it."""
        return join(
            self.type(issue.type_id), tag("a", issue.key, href=issue_address(issue), class_="key"), " ", issue.summary
        )


def _said(seconds: int, exact: datetime) -> str:
    if seconds < _MINUTE:
        return "just now"
    for unit, length, most in (("minute", _MINUTE, _HOUR), ("hour", _HOUR, _DAY), ("day", _DAY, _MONTH)):
        if seconds < most:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"{exact:%d %b %Y}"


def issue_address(issue: Issue, *rest: str) -> str:
    """Return the address of an issue's page, or of an action under it."""
    return "/".join(["/browse", issue.key, *rest])


def avatar(user: User, *, large: bool = False) -> Html:
    """Return a person's initials in a circle; the same person always has the same colour."""
    words = user.display_name.split() or [user.name]
    initials = "".join(word[:1] for word in (words[0], words[-1])[: len(words)]).upper()
    hue = zlib.crc32(user.key.encode()) % _HUES
    return tag("span", initials, class_=f"avatar{' large' if large else ''} hue-{hue}", aria_hidden="true")


def problems(messages: Sequence[str]) -> Html | None:
    """Return what went wrong, as Jira said it."""
    if not messages:
        return None
    content: Child = tag("ul", [tag("li", message) for message in messages]) if len(messages) > 1 else messages[0]
    return tag("div", content, class_="notice bad", role="alert")


def field(label: str, control: Html, name: str, *, hint: str = "") -> Html:
    """Return a labelled control of a form; ``name`` is the control's id."""
    return tag(
        "div", tag("label", label, for_=name), control, tag("p", hint, class_="hint") if hint else None, class_="field"
    )


def choice(name: str, options: Sequence[tuple[str, str]], chosen: str = "") -> Html:
    """Return a drop-down list of values and their texts."""
    return tag(
        "select",
        [tag("option", text, value=value, selected=value == chosen) for value, text in options],
        name=name,
        id=name,
    )
