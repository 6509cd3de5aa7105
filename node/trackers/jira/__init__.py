"""Our Jira, Data Center or Cloud, behind the port of `node.trackers.base`.

Read in this order:

1. `tracker`: the port as a whole, made of groups of `calls`: `projects`, `choices`, `issues`, `comments`, `worklogs`,
   `issue_links`, `attachments` say which call does what; `lookup`: what they share (what is known, paging, searching,
   refusals).
2. `payload`, `custom`, `setup`, `shapes`: REST JSON into our words; `writing`: our words into REST JSON; `markers`:
   what tells what we created. All pure.
3. `sweep`: paging through what is being updated; `files`: attachments on their way; `webhooks`: notices.
4. `client`: one call, bounded and judged; `failures`: what went wrong, in words; `access`: addresses, tokens, times;
   `wire`: the last step to the socket, which knows whether a request was sent.
"""

from __future__ import annotations

from node.trackers.jira.access import Auth, Timeouts
from node.trackers.jira.tracker import JiraTracker

__all__ = ["Auth", "JiraTracker", "Timeouts"]
