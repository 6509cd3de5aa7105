"""What two nodes say to each other, on one page. Pure: no I/O, no clock, no randomness, never imports ``node``.

Alice invites Bob; their nodes pair; then each sends the other what its rules share of its issues::

    Alice                                         Bob
    invitation code  --- out of band ---------->                    invitation.py
                     <-- M1, the request -------                    handshake.py: bytes; pairing.py: steps
    answer, M2       -------------------------->                    pairing_state.py: the table
                     <-- DATA 1 pair.confirm ---                    the connection is active
    DATA n           -------------------------->   stores it        envelope.py, packing.py, messages.py, replica.py
                     <-- ACK up to n, head -----                    ack.py, stream.py
                     <-- DATA m outcome --------   has applied it   messages.py
    BLOB k of a file -------------------------->   as its ACK asks  blob.py

Order of things: verify, then open, then parse, then judge. One stream per direction, numbered without gaps and chained
by hashes; a receipt names the head of the chain, so it stands for everything before it, and a database restored from a
backup shows. Receiving is acknowledged at once; what became of a message is told later by an outcome.

Trust: a node is its node key, and people compare its fingerprint or the short code. Keys are pinned at pairing and
change only by a key statement that the node key signs. No transport is trusted: the same bytes may come by HTTPS, in a
file, twice, late or never. No bytes are parsed before their signature has verified; what a stranger can reach is one
fixed header, HPKE, and one error that always looks the same.

Read in this order: errors, primitives, strict_json; keys, fingerprint, identity; invitation, handshake, pairing_state,
pairing; replica, messages; envelope, framing, stream, packing, ack, blob; version. `docs/protocol.md` has every byte.
"""
