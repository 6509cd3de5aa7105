"""Runs the command line: ``python -m node`` is ``accord``."""

from node.cli import main

main()
