"""The demo: two sandbox Jiras and two nodes on this machine, driven through the same commands that people use.

Reading order: `house` (starts and stops the four processes), `samples` (issues of our own writing), `jira` (acts in a
sandbox as a person would), `play` (what the demo does), `compare` (both Jiras field by field), `view` (what you see).
Nothing here is used by a node.
"""
