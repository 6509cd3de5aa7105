"""The names and limits of the HTTP side of the protocol (wire protocol, 2.12 and 2.13)."""

from __future__ import annotations

from typing import Final

from protocol.framing import MAX_FRAMED_BYTES

CONTENT_TYPE: Final = "application/accord1"
EXCHANGE_PATH: Final = "/accord/v1/exchange"
PAIR_PATH: Final = "/accord/v1/pair"
HEALTH_PATH: Final = "/accord/v1/health"
MAX_EXCHANGE: Final = MAX_FRAMED_BYTES
"""Bytes of a request or an answer."""
MAX_DATA: Final = 256
"""DATA and BLOB envelopes in one request, beside its ACK."""
