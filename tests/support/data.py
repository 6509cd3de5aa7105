"""Finds the real Jira data that tests read; never copies it into the project.

The folder is named by ``ACCORD_DATA``, else it is ``shared/data`` beside the checkout. Tests that need it
skip with a reason where it is absent.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def data_folder() -> Path:
    """Return the folder with the real data, or skip the calling test."""
    named = os.environ.get("ACCORD_DATA")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real Jira data at {folder} (set ACCORD_DATA)")
    return folder


def data_file(name: str) -> Path:
    """Return one file of the real data, or skip the calling test."""
    path = data_folder() / name
    if not path.exists():
        pytest.skip(f"no real Jira data file {path}")
    return path
