"""One module per REST resource: it reads the request, asks the noun's own module, and renders the answer."""

from __future__ import annotations
