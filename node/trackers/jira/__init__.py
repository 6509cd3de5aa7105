"""Our Jira, Data Center or Cloud, behind the port of `node.trackers.base`. Start at `tracker.JiraTracker`.

`tracker` says which call does what; `payload` and `custom` translate between REST JSON and our words, `writing` the
other way (all pure); `webhooks` reads notices and registers for them; `client` makes one call and judges its answer,
with `failures` for the words and `wire` for the socket.
"""

from __future__ import annotations

from node.trackers.jira.client import Auth, Timeouts
from node.trackers.jira.tracker import JiraTracker

__all__ = ["Auth", "JiraTracker", "Timeouts"]
