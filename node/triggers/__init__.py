"""What wakes the node: `webhook` and `poller` report changes, `change_feed` decides which mean something."""
