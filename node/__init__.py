"""One organisation's house: the node that runs beside its Jira."""
