"""The tracker behind this node: our words for a ticket (`issue`), the port (`base`), the one adapter (`jira`)."""
