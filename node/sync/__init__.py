"""The heart: what leaves after a change (`outgoing`), what comes in (`incoming`), and the pure middle they stand on.

Pure, no ``async``, no clock, no I/O: `content`, `our_edits`, `judgement`, `merge`, `plan`. With I/O: `outgoing`, which
ends in `queueing`; `incoming`, with `apply` in its middle and `settling` at its end.
"""
