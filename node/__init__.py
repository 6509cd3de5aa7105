"""One organisation's house: the node that runs beside its Jira. The way of an issue, room by room.

::

    our Jira ── Change ─▶ triggers ─▶ outgoing rules ── Replica ─▶ outbox ── Envelope ─▶ the peer's inbox ─▶ ...
    our Jira ◀─ Operations ─ plan ◀─ merge ◀─ incoming rules ◀── Replica ── inbox ◀── Envelope ── the peer's outbox

Read these files in this order and you have followed one issue through the house:

1.  ``triggers/webhook.py`` and ``triggers/poller.py``: a change is seen, and stored before it is answered.
    ``triggers/registration.py`` keeps our webhook in Jira, for the projects of ``triggers/projects.py``.
2.  ``triggers/change_feed.py``, ``triggers/trigger.py``: many notices become one look at one issue; what fails stays
    (``triggers/setbacks.py``), and so does what a person asked for and could not have yet.
3.  ``sync/outgoing.py``, ``sync/our_edits.py``: the issue's newest state, on each of its connections: what of it is
    our people's doing, and has anything to be sent?
4.  ``rules/outgoing.py``: what leaves, and nothing else.
5.  ``sync/content.py``, ``sync/last_look.py``: the replica, whether it differs from what the peer knows, and the guard.
6.  ``sync/queueing.py``, ``store/outbox.py``: link, replica and message in one transaction. Commit, then speak.
7.  ``transport/sender.py``, ``transport/outgoing.py``: one loop per peer seals in order and sends.
8.  ``transport/server.py``, ``transport/receive.py``: verify, open, store in the inbox, sign the receipt.
9.  ``sync/inbox_feed.py``, ``sync/incoming.py``: settle one issue's messages, one after the other.
10. ``rules/incoming.py``: what we want in our issue.
11. ``sync/judgement.py``, ``sync/merge.py``, ``sync/plan.py``: three ways per field, then the fewest calls. Pure.
12. ``sync/apply.py``, ``sync/intents.py``, ``trackers/jira/``: intent stored, call, result stored; a marker is probed
    after a crash (``sync/leftovers.py``: also when nobody makes the call any more). ``sync/apply_items.py`` does
    this for comments, files and links; ``sync/transitions.py`` finds the way to a status.
13. ``sync/settling.py``, ``sync/adoption.py``, ``triggers/echo.py``: one transaction stores what was done;
    our own write comes back as a change, and is recognised by its content.
14. ``sync/endings.py``: the outcome goes back to the sender by the same road, and ``sync/outcomes.py`` hears it there.

Around it: ``app.py`` composes all of this and is the only file that names adapters, ``serve.py`` runs it as a process
and ``listeners.py`` opens its ports; ``triggers/catch_up.py`` orders its first looks; ``invitations.py`` pairs nodes
and ``connections.py`` pauses and ends what they made; ``rulebook.py`` keeps the published rules, and ``rules_desk/`` is
what people do with them; ``ledger.py`` proves what left; ``triggers/roll_call.py`` misses what was moved or deleted
unseen; ``sync/recovery.py`` hears again what a restored database forgot; ``operations.py`` brings in what people name,
``answers.py`` shows them how it stands, and ``problem_desk.py`` does what they decide about problems; ``admin/`` and
``cli/`` are how people reach it; ``store/`` remembers; ``crew.py`` runs workers over stored rows, ``background.py``
what goes on beside them; ``housekeeping.py`` forgets what is old; ``check.py`` looks whether all is well; ``sandbox/``
is a Jira on your desk; ``demo/`` plays both sides.

Imports run one way: ``node`` imports ``protocol`` and never the reverse; inside, ``app`` stands above (``admin``,
``triggers``, ``sync``, ``transport``), which stand above (``rules``, ``store``, ``trackers``).
"""
