"""A Jira on your desk: a server that answers like Jira Data Center's REST v2, for demos and tests.

A client that speaks to a real Jira Data Center 10 should not be able to tell, for what is built here. It keeps
everything in memory, and in one file on request. It is not hardened: run it on loopback, with made-up people. It calls
nobody but the webhooks that were registered in it.

::

    request ─▶ app.py: calls ─▶ faults ─▶ auth ─▶ routes/<noun>.py ─▶ <noun>s.py ─▶ World ──▶ persistence.py (--data)
                                                       │                              │
                                                   render*.py                     events.py ─▶ webhooks.py ─▶ receivers

Read in this order:

1. ``model.py``: what a Jira holds, as plain dataclasses; ``store.py``: the ``World`` that holds and indexes it.
2. ``seed.py``: the Jira that a newcomer gets, and the administrator's hand for tests (users, projects, custom fields);
   ``load.py``: a Jira made from a dump of issues.
3. ``issues.py``, ``edits.py``, ``field_values.py``, ``transitions.py``: what happens to an issue, as plain functions on
   the world; one file for each other noun (``comments.py``, ``attachments.py``, ``worklogs.py``, ``links.py``, ...).
   ``permissions.py``: who may; ``errors.py``: Jira's words for no.
4. ``render.py``, ``render_issue.py``, ``render_parts.py``: the words that REST uses for it.
5. ``routes/``: which path reaches what; ``app.py``: how they come together; ``serve.py``: the life of the server.
6. ``webhooks.py``, ``hook_bodies.py``: who is told what; ``faults.py``: how to make it misbehave; ``calls.py``: what
   was asked of it.
7. ``jql/``: the query language; ``queries.py``, ``issue_view.py``: what it knows of this Jira. ``web/``: the pages.

What it has: serverInfo, myself, users, groups, permissions, projects, roles, components, versions, types, statuses,
priorities, resolutions, fields (system and sixteen custom kinds), createmeta and editmeta, issues with sub-tasks,
labels, changelog and properties, bulk create, assignee, workflow with screens, comments with visibility and properties,
attachments, worklogs with their feeds, issue links, remote links, watchers, votes, search, webhooks under both paths.

Where it knowingly differs from a real Jira: one permission table instead of schemes (``permissions.py``); one workflow
per project; rendered fields are paragraphs of escaped source; a password is hashed quickly; boards, filters,
dashboards, security levels and mail do not exist. Deliveries to one webhook keep their order unless a fault changes it,
although Jira promises none.
"""

from __future__ import annotations
