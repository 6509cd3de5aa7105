"""How envelopes travel between two nodes: one endpoint, one request in flight per connection, nothing sent unstored.

Reading order: `wire.py` (what a request is made of), `channel.py` (our keys and the peer's of one connection), then
inwards `server.py` (HTTP), `receive.py`, `frames.py` (from bytes to what they say), `intake.py`, `receipts.py`,
`keeping.py` (what is kept and taken at most) and `restored.py` (the one unit of work), and outwards `outgoing.py` (from
rows to sealed bytes), `client.py` and `addresses.py` (HTTP), `sender.py` (the loop), `unreached.py` and `backoff.py`
(tries in vain); beside them `blobs.py` (files), `pairing.py` (the handshake); and `transport.py`, all of it as one
thing to start and stop. Never decides what is sent or what becomes of it.
"""
