"""What people do with rules on the running node: publish, preview, compare, record, explain.

Use cases over the rule book, the sync core's contexts and the store: ``publishing`` (show, export, check, import, diff,
roll back, convert), ``preview`` (what would leave or be written), ``compare`` (what an edit would alter), ``recording``
(test cases from real runs), ``explaining`` (which step let a field through in a past sync). Only ``publishing`` writes,
and only rule sets; nothing in here sends anything or writes to Jira. Knows neither HTTP nor the terminal.
"""
