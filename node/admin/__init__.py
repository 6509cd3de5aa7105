"""How people's tools reach the running node: one JSON API that the command line and the console share."""
