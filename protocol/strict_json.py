"""JSON that every implementation reads alike: one meaning per byte string, bounded before it is used.

Follows RFC 8259 and is narrower: UTF-8 without BOM, no duplicate keys, no floats, NaN or Infinity, integers within
+-(2^53-1), no lone surrogates, and the limits below. Decimals and 64-bit numbers travel as strings.
Never guesses, never repairs, never returns a value that it would not also write.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeAlias

from protocol.errors import BadContent, TooLarge

Json: TypeAlias = bool | int | str | list["Json"] | dict[str, "Json"] | None
"""What strict JSON can hold."""

MAX_DEPTH = 32
"""Nested arrays and objects; ``1`` has depth 0 and ``[]`` has depth 1."""
MAX_VALUES = 20_000
"""Values in one document: scalars, arrays and objects; keys are not counted."""
MAX_STRING_BYTES = 1 << 20
"""UTF-8 bytes of one string or key: 1 MiB, the same as the largest payload."""
MAX_INTEGER = (1 << 53) - 1
"""The largest magnitude that JavaScript and every other reader holds exactly."""

_MAX_DIGITS = len(str(MAX_INTEGER)) + 1  # and a sign: bounded before int() sees the text


def parse(data: bytes | memoryview) -> Json:
    """Return the one value that ``data`` spells.

    Raises:
        BadContent: if it is not strict JSON.
    """
    try:
        text = str(data, "utf-8")
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BadContent(f"not strict JSON: {type(error).__name__}") from None
    check(value)
    return value  # type: ignore[no-any-return]


def parse_object(data: bytes | memoryview) -> dict[str, Json]:
    """Return the object that ``data`` spells.

    Raises:
        BadContent: if it is not strict JSON, or not an object.
    """
    value = parse(data)
    if not isinstance(value, dict):
        raise BadContent("not a JSON object")
    return value


def dump(value: Json) -> bytes:
    """Write ``value`` compactly, keys in the order given.

    Raises:
        TooLarge: if it goes beyond the limits.
        ValueError: if it holds something that strict JSON does not have, such as a float.
    """
    _check_ours(value)
    return _ENCODER.encode(value).encode()


def dump_canonical(value: Json) -> bytes:
    """Write ``value`` with sorted keys, for digests that only their own maker compares; never for signatures.

    Raises:
        TooLarge: if it goes beyond the limits.
        ValueError: if it holds something that strict JSON does not have, such as a float.
    """
    _check_ours(value)
    return _SORTING_ENCODER.encode(value).encode()


def check(value: Json) -> None:
    """Check types and limits of a value that is already parsed.

    Raises:
        BadContent: naming the first rule that is broken.
    """
    problem = _problem(value)
    if problem is not None:
        raise BadContent(problem)


def _check_ours(value: Json) -> None:
    problem = _problem(value)
    if problem is None:
        return
    if problem.startswith("not JSON"):
        raise ValueError(problem)
    raise TooLarge(
        f"This content cannot be sent: {problem}.", advice="Share less of it: see the outgoing rules of the connection."
    )


def _problem(root: Json) -> str | None:
    """Walk level by level, so that depth costs no recursion; return what is wrong, if anything."""
    level: list[Any] = [root]
    count = 0
    for depth in range(MAX_DEPTH + 1):
        count += len(level)
        if count > MAX_VALUES:
            return f"more than {MAX_VALUES} values"
        containers: list[Any] = []
        problem = _level_problem(level, containers)
        if problem is not None:
            return problem
        if not containers:
            return None
        if depth == MAX_DEPTH:
            break
        level = [child for value in containers for child in (value.values() if isinstance(value, dict) else value)]
    return f"nested deeper than {MAX_DEPTH}"


def _level_problem(level: list[Any], containers: list[Any]) -> str | None:
    """Look at the scalars, and at the keys of the objects, of one level; add what is nested to ``containers``."""
    for value in level:
        problem: str | None = None
        if isinstance(value, str):
            problem = _string_problem(value)
        elif isinstance(value, (dict, list, tuple)):
            containers.append(value)
            if isinstance(value, dict):
                problem = next(filter(None, map(_string_problem, value)), None)
        elif value is not None and not isinstance(value, bool):
            problem = _number_problem(value)
        if problem is not None:
            return problem
    return None


def _number_problem(value: object) -> str | None:
    if isinstance(value, int):
        return None if -MAX_INTEGER <= value <= MAX_INTEGER else "an integer beyond 2^53-1"
    return f"not JSON: {type(value).__name__}"


def _string_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"not JSON: a key of type {type(value).__name__}"
    if value.isascii():
        return None if len(value) <= MAX_STRING_BYTES else "a string longer than 1 MiB"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "not JSON: a lone surrogate"
    return None if size <= MAX_STRING_BYTES else "a string longer than 1 MiB"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate key")
    return made


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("integer too long")
    return int(text)


def _refuse(_text: str) -> NoReturn:
    raise ValueError("not an integer")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse, strict=True
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_SORTING_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
