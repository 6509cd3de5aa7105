"""A Jira on your desk: a server that answers like Jira Data Center's REST v2, for demos and tests.

A client that speaks to a real Jira Data Center 10 should not be able to tell, for what is built here; see
``docs/`` for the list. It keeps everything in memory, and in one file on request. It is not hardened: run it on
loopback, with made-up users. It never calls out, except to the webhooks that were registered in it.

::

    request ─▶ app.py: faults ─▶ auth ─▶ routes/<noun>.py ─▶ <noun>s.py ─▶ World ──▶ persistence.py (--data FILE)
                 │                          │                   │
              calls.py                  render*.py           events.py ─▶ webhooks.py ─▶ whoever listens

Read in this order:

1. ``model.py``: what a Jira holds, as plain dataclasses; ``store.py``: the ``World`` that indexes it.
2. ``seed.py``: the Jira that a newcomer gets; ``load.py``: a Jira made from a dump of REST issues.
3. ``issues.py``, ``edits.py``, ``field_values.py``, ``transitions.py``: what happens to an issue; one file per other
   noun (``comments.py``, ``attachments.py``, ``worklogs.py``, ``links.py``, ...).
4. ``render.py`` and ``render_issue.py``: the words that REST uses for it.
5. ``routes/``: which path reaches what; ``app.py``: how they come together.
6. ``webhooks.py``: who is told; ``faults.py``: how to make it misbehave; ``calls.py``: what was asked of it.
7. ``jql/``: the query language; ``queries.py``: what it knows of this Jira.
"""

from __future__ import annotations
