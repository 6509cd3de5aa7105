"""The heart: what leaves after a change (`outgoing`), what comes in (`incoming`), and the pure middle they stand on.

Pure, no ``async``, no clock, no I/O: `content`, `merge`, `plan`. With I/O: `outgoing`, `incoming`, `apply`.
"""
