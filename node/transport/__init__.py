"""How envelopes travel between two nodes: one endpoint, one request in flight per connection, nothing sent unstored.

Reading order: `wire.py` (what a request is made of), `channel.py` (our keys and the peer's of one connection),
`receive.py` (from bytes to stored rows), `server.py` (the HTTP side of it), `outgoing.py` (from rows to sealed bytes),
`client.py` (HTTP to the peer), `sender.py` (the loop), `backoff.py`, `blobs.py` (files), `pairing.py` (the handshake),
`transport.py` (all of it as one thing to start and stop). Never decides what is sent or what becomes of it.
"""
