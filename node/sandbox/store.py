"""The world of one sandbox: the data, the indexes over it, and who is told when something changes.

Nothing here knows HTTP. Nothing here checks a permission: that is done where a request is understood.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.sandbox.clock import SandboxClock
from node.sandbox.events import Event
from node.sandbox.model import Attachment, Issue, IssueLink, Project, Site, User, Worklog

FIRST_ID = 10_000
"""Where Jira starts to count what people make; smaller ids belong to what it ships with."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """What has to be saved: ids of issues (also of deleted ones) and of blobs, and whether the site changed."""

    issues: frozenset[str]
    blobs: frozenset[str]
    site: bool


class World:
    """One Jira in memory. ``site`` and ``issues`` are the truth; everything else here is an index of them."""

    def __init__(self, site: Site | None = None, *, clock: SandboxClock | None = None) -> None:
        self.site = site if site is not None else Site()
        self.clock = clock if clock is not None else SandboxClock()
        self.base_url = "http://127.0.0.1:2990"
        self.issues: dict[str, Issue] = {}
        self.blobs: dict[str, bytes] = {}
        self.revision = 0
        """Counts changes of the site, so that rendered pieces of it can be kept until it changes."""
        self._ids_by_key: dict[str, str] = {}
        self._users_by_name: dict[str, str] = {}
        self._issues_by_attachment: dict[str, str] = {}
        self._issues_by_worklog: dict[str, str] = {}
        self._projects_by_key: dict[str, str] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._savers: list[Callable[[], None]] = []
        self._dirty_issues: set[str] = set()
        self._dirty_blobs: set[str] = set()
        self._dirty_site = False
        self.reindex_site()

    # --- telling others

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have the listener called, in the same breath, for each event."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Tell all listeners."""
        for listener in self._listeners:
            listener(event)

    def on_change(self, saver: Callable[[], None]) -> None:
        """Have the saver called whenever there is something to save."""
        self._savers.append(saver)

    def touch_site(self) -> None:
        """Remember that the site changed."""
        self.revision += 1
        self._dirty_site = True
        self._call_savers()

    def touch_issue(self, issue: Issue) -> None:
        """Remember that the issue changed; its ``updated`` is the business of whoever changed it."""
        self._dirty_issues.add(issue.id)
        self._call_savers()

    def _call_savers(self) -> None:
        for saver in self._savers:
            saver()

    def take_dirty(self) -> Dirty:
        """Return what changed since the last call."""
        dirty = Dirty(frozenset(self._dirty_issues), frozenset(self._dirty_blobs), self._dirty_site)
        self._dirty_issues, self._dirty_blobs, self._dirty_site = set(), set(), False
        return dirty

    def mark_dirty(self, dirty: Dirty) -> None:
        """Give back what could not be saved."""
        self._dirty_issues |= dirty.issues
        self._dirty_blobs |= dirty.blobs
        self._dirty_site = self._dirty_site or dirty.site

    # --- ids and time

    def new_id(self, kind: str) -> str:
        """Return the next id of a kind of thing."""
        number = self.site.next_ids.get(kind, FIRST_ID)
        self.site.next_ids[kind] = number + 1
        self._dirty_site = True
        return str(number)

    def reserve_id(self, kind: str, used: str | int) -> None:
        """Make sure that no id up to this one is given out."""
        self.site.next_ids[kind] = max(self.site.next_ids.get(kind, FIRST_ID), int(used) + 1)

    def now(self) -> int:
        """Return the present moment in milliseconds."""
        return self.clock.now_ms()

    def stamp(self, issue: Issue) -> int:
        """Set the issue's ``updated`` to now, later than it ever was, and return it."""
        issue.updated = max(self.now(), issue.updated + 1)
        self.touch_issue(issue)
        return issue.updated

    # --- issues

    def add_issue(self, issue: Issue) -> None:
        """Take in an issue with all that hangs on it."""
        self.issues[issue.id] = issue
        self._ids_by_key[issue.key] = issue.id
        for attachment in issue.attachments:
            self._issues_by_attachment[attachment.id] = issue.id
        for worklog in issue.worklogs:
            self._issues_by_worklog[worklog.id] = issue.id
        self.touch_issue(issue)

    def remove_issue(self, issue: Issue) -> None:
        """Forget an issue; its links and sub-tasks are the business of whoever removes it."""
        del self.issues[issue.id]
        self._ids_by_key.pop(issue.key, None)
        for attachment in list(issue.attachments):
            self.remove_attachment(issue, attachment)
        for worklog in list(issue.worklogs):
            self.remove_worklog(issue, worklog)
        self.touch_issue(issue)

    def issue(self, id_or_key: str) -> Issue | None:
        """Return the issue of this id or key, without regard to case."""
        found = self.issues.get(id_or_key)
        if found is not None:
            return found
        return self.issues.get(self._ids_by_key.get(id_or_key.upper(), ""))

    def issues_of(self, project: Project) -> list[Issue]:
        """Return a project's issues; reads all issues."""
        return [issue for issue in self.issues.values() if issue.project_id == project.id]

    # --- attachments and worklogs

    def add_attachment(self, issue: Issue, attachment: Attachment, content: bytes | None) -> None:
        """Hang a file on an issue; without content its bytes are made up when asked for."""
        if content is not None:
            attachment.blob = attachment.id
            self.blobs[attachment.blob] = content
            self._dirty_blobs.add(attachment.blob)
        issue.attachments.append(attachment)
        self._issues_by_attachment[attachment.id] = issue.id

    def remove_attachment(self, issue: Issue, attachment: Attachment) -> None:
        """Take a file off an issue, with its bytes."""
        issue.attachments.remove(attachment)
        self._issues_by_attachment.pop(attachment.id, None)
        if attachment.blob:
            self.blobs.pop(attachment.blob, None)
            self._dirty_blobs.add(attachment.blob)

    def attachment(self, attachment_id: str) -> tuple[Issue, Attachment] | None:
        """Return a file and the issue that it hangs on."""
        issue = self.issues.get(self._issues_by_attachment.get(attachment_id, ""))
        if issue is None:
            return None
        return next(((issue, found) for found in issue.attachments if found.id == attachment_id), None)

    def add_worklog(self, issue: Issue, worklog: Worklog) -> None:
        """Hang a worklog on an issue."""
        issue.worklogs.append(worklog)
        self._issues_by_worklog[worklog.id] = issue.id

    def remove_worklog(self, issue: Issue, worklog: Worklog) -> None:
        """Take a worklog off an issue."""
        issue.worklogs.remove(worklog)
        self._issues_by_worklog.pop(worklog.id, None)

    def worklog(self, worklog_id: str) -> tuple[Issue, Worklog] | None:
        """Return a worklog and the issue that it hangs on."""
        issue = self.issues.get(self._issues_by_worklog.get(worklog_id, ""))
        if issue is None:
            return None
        return next(((issue, found) for found in issue.worklogs if found.id == worklog_id), None)

    def worklogs(self) -> Iterable[tuple[Issue, Worklog]]:
        """Yield all worklogs with their issues."""
        for worklog_id in list(self._issues_by_worklog):
            found = self.worklog(worklog_id)
            if found is not None:
                yield found

    # --- links

    def add_link(self, link: IssueLink) -> None:
        """Link two issues that are both here."""
        self.site.links[link.id] = link
        for issue_id in dict.fromkeys((link.source_id, link.destination_id)):
            self.issues[issue_id].link_ids.append(link.id)
            self.touch_issue(self.issues[issue_id])
        self.touch_site()

    def remove_link(self, link: IssueLink) -> None:
        """Take a link away from both its ends."""
        del self.site.links[link.id]
        for issue_id in dict.fromkeys((link.source_id, link.destination_id)):
            issue = self.issues.get(issue_id)
            if issue is not None and link.id in issue.link_ids:
                issue.link_ids.remove(link.id)
                self.touch_issue(issue)
        self.touch_site()

    # --- people and projects

    def reindex_site(self) -> None:
        """Build the indexes of the site again; needed after users or projects came, went or were renamed."""
        self._users_by_name = {user.name.lower(): user.key for user in self.site.users.values()}
        self._projects_by_key = {project.key: project.id for project in self.site.projects.values()}
        self.touch_site()

    def user_named(self, name: str | None) -> User | None:
        """Return the user of this name, without regard to case."""
        key = self._users_by_name.get((name or "").lower())
        return self.site.users.get(key) if key is not None else None

    def user(self, key: str | None) -> User | None:
        """Return the user of this key."""
        return self.site.users.get(key) if key is not None else None

    def project(self, id_or_key: str) -> Project | None:
        """Return the project of this id or key."""
        project_id = self._projects_by_key.get(id_or_key.upper(), id_or_key)
        return self.site.projects.get(project_id)

    # --- credentials

    def set_password(self, user: User, password: str) -> None:
        """Give a user a password. A plain salted hash: these are the made-up users of a toy on loopback."""
        user.password_salt = secrets.token_hex(8)
        user.password_digest = _digest(user.password_salt, password)
        self.touch_site()

    def check_password(self, name: str, password: str) -> User | None:
        """Return the active user of this name and password."""
        user = self.user_named(name)
        expected = user.password_digest if user is not None else ""
        given = _digest(user.password_salt if user is not None else "", password)
        matches = hmac.compare_digest(expected.encode(), given.encode())
        return user if user is not None and matches and user.active else None

    def create_token(self, user: User, token: str | None = None) -> str:
        """Give a user a personal access token, a random one unless it is given, and return it."""
        token = token if token is not None else secrets.token_urlsafe(32)
        self.site.tokens[_digest("token", token)] = user.key
        self.touch_site()
        return token

    def check_token(self, token: str) -> User | None:
        """Return the active user of this token; the lookup is by digest, so its time tells nothing of the token."""
        user = self.user(self.site.tokens.get(_digest("token", token)))
        return user if user is not None and user.active else None


def _digest(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
