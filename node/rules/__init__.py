"""What leaves and what comes in: one rule set format, evaluated in both directions.

Read in this order: ``ruleset`` (the format), ``model`` (what rules take and give), ``outgoing`` and ``incoming`` (one
evaluation, with ``outgoing_steps``, ``incoming_steps``, ``incoming_draft``, ``mapping``, ``values``, ``fields``,
``comments``, ``issue_type``, ``scope``), ``facts`` (what our Jira offers), ``script`` (the box in which scripts run).
For people: ``files``, ``checks``, ``diff``, ``convert``, ``explain``, ``preview``, ``cases``. Last before sealing:
``guard``. Nothing in here sends, writes to a tracker, or stores.
"""
