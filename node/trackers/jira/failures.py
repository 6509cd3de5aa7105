"""Turns what went wrong with a call into an error of `node.errors`, with a sentence for the person who reads it.

The one question that matters to the queues is answered here: may a failed write have had its effect? Pure. Messages
hold Jira's own reasons, cut and cleaned, never a body, a header with a secret, or an exception's text.

    no connection, TLS refused               -> TrackerUnreachable   nothing was sent
    sent, no answer (slow, cut)              -> TrackerUncertain for writes, TrackerUnreachable for reads
    429, 503                                 -> TrackerBusy
    401, 403, a login page, a CAPTCHA        -> TrackerDenied
    404                                      -> TrackerNotFound
    other 4xx                                -> TrackerRefused
    other 5xx, 408                           -> TrackerUncertain for writes, TrackerUnreachable for reads
    3xx                                      -> TrackerNonsense
    2xx of the wrong shape or size           -> TrackerUncertain for writes, TrackerNonsense for reads
"""

from __future__ import annotations

import email.utils
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from node.errors import (
    TrackerBusy,
    TrackerDenied,
    TrackerError,
    TrackerNonsense,
    TrackerNotFound,
    TrackerRefused,
    TrackerUncertain,
    TrackerUnreachable,
)
from node.trackers.jira.wire import REDIRECT_TARGET

DEFAULT_RETRY_AFTER = 30.0
"""Seconds to wait where a busy Jira does not say how long."""
LONGEST_RETRY_AFTER = 3_600.0
"""Seconds: an hour, the longest period of Jira Cloud's quotas; a longer wish is not honoured blindly."""

_OF_PROXIES = {408, 502, 504}
"""What a proxy says that waits no longer: what stands behind it may go on."""
_LONGEST_REASON = 300
_MOST_REASONS = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LOGIN = re.compile(rb"login|os_username|id\.atlassian\.com|log in|sign in", re.IGNORECASE)
_LOGIN_TARGET = re.compile(r"login|signin|sign-in|saml|oauth|\bsso\b", re.IGNORECASE)
_TOKEN_ADVICE = "Is the token valid, and of the right kind? Set a new one with: accord token; then start the node anew."  # noqa: S105 - advice
_PROBE_ADVICE = "Nothing needs to be done: before it is tried again, it is looked up whether it was done."
_TRUST_ADVICE = (
    "If an authority of your own issued it, name that authority's certificate (a PEM file) as tls.ca_file in "
    "accord.toml and start the node anew; otherwise have Jira's certificate put right. The token was not sent."
)
_WAIT_ADVICE = "Nothing needs to be done if this passes; otherwise see whether Jira runs and can be reached from here."


@dataclass(frozen=True, slots=True)
class Call:
    """What a call was for: ``what`` completes "Jira was asked to ..."; ``write`` says that it changes something."""

    what: str
    write: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end within bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def judge(call: Call, answer: Answer, *, now_ms: int) -> TrackerError | None:  # noqa: PLR0911 - a row of the table each
    """Return the error that an answer means, or None where it is a success.

    Args:
        call: what the answer is for.
        answer: its headers must be looked up without regard to case.
        now_ms: our wall time, for a ``Retry-After`` that is a date.
    """
    status = answer.status
    reasons, fields = jira_reasons(answer.body)
    if _not_us(call, answer):
        return _denied(call, answer, reasons)
    if status in {429, 503}:
        return TrackerBusy(
            f"Jira is too busy to {call.what}{_because(reasons)}.",
            retry_after=retry_after(answer.headers, now_ms),
            advice="Nothing needs to be done: it is tried again when Jira allows.",
        )
    if status == 404:  # noqa: PLR2004 - HTTP's own words
        return TrackerNotFound(
            f"Jira could not {call.what}: it is not there, or hidden from our user{_because(reasons)}.",
            advice="Was it deleted or moved, and may our Jira user see it?",
        )
    if status == 408 or status >= 500:  # noqa: PLR2004 - HTTP's own words
        text = f"Jira failed (HTTP {status}) when asked to {call.what}{_because(reasons)}."
        return _no_answer(call, text, unfinished=status in _OF_PROXIES)
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's own words
        return _redirected(call, answer)
    if status >= 400:  # noqa: PLR2004 - HTTP's own words
        return TrackerRefused(
            f"Jira refused to {call.what} (HTTP {status}){_because(reasons)}.",
            fields=fields,
            advice="Change what is asked for, or Jira's settings, and try again.",
        )
    return None


def _not_us(call: Call, answer: Answer) -> bool:
    """Tell whether Jira did not accept who we are; some Jiras answer then as to anybody, with 200 or 404."""
    if answer.status in {401, 403}:
        return True
    login = answer.headers.get("X-Seraph-LoginReason", "")
    failed = "AUTHENTICATED_FAILED" in login or "AUTHENTICATION_DENIED" in login
    done = 200 <= answer.status < 300 and call.write  # noqa: PLR2004 - HTTP's own words
    return failed and not done


def _denied(call: Call, answer: Answer, reasons: str) -> TrackerDenied:
    login = answer.headers.get("X-Seraph-LoginReason", "")
    captcha = "CAPTCHA" in answer.headers.get("X-Authentication-Denied-Reason", "").upper()
    if captcha or "AUTHENTICATION_DENIED" in login:
        return TrackerDenied(
            f"Jira did not {call.what}: it wants our user to solve a CAPTCHA, after too many failed logins.",
            advice="Sign in to Jira once in a browser as that user, then check the password or token.",
        )
    if answer.status == 403 and "AUTHENTICATED_FAILED" not in login:  # noqa: PLR2004 - HTTP's own words
        return TrackerDenied(
            f"Jira does not let our user {call.what}{_because(reasons)}.",
            advice="Give our Jira user the permission that this needs (`accord check` names what is missing).",
        )
    return TrackerDenied(
        f"Jira did not {call.what}: it does not accept our token{_because(reasons)}.", advice=_TOKEN_ADVICE
    )


def _redirected(call: Call, answer: Answer) -> TrackerError:
    target = urlsplit(answer.headers.get(REDIRECT_TARGET, ""))
    where = f"{target.scheme}://{target.netloc.rpartition('@')[2]}" if target.netloc else "another page"
    where = clean(where)
    if _LOGIN_TARGET.search(target.netloc + target.path):
        return TrackerDenied(f"Jira did not {call.what}: it sends us to a login page ({where}).", advice=_TOKEN_ADVICE)
    return TrackerNonsense(
        f"Jira did not {call.what}: it sends us to {where}. Redirects are not followed, to keep the token safe.",
        advice="If that is Jira's real address, set it as the Jira URL of this node.",
    )


def bad_answer(call: Call, answer: Answer, problem: str) -> TrackerError:
    """Return the error for a success whose body cannot be used; ``problem`` completes "its answer ..."."""
    page = "html" in answer.headers.get("Content-Type", "") or answer.body.lstrip()[:1] == b"<"
    if page and _LOGIN.search(answer.body[:100_000]):
        return TrackerDenied(f"Jira did not {call.what}: it shows a login page.", advice=_TOKEN_ADVICE)
    if page:
        problem = "is a web page"
    if call.write:
        return TrackerUncertain(
            f"Jira was asked to {call.what} and may have done it, but its answer {problem}.", advice=_PROBE_ADVICE
        )
    return TrackerNonsense(
        f"Jira was asked to {call.what}, but its answer {problem}.",
        advice="Is the Jira URL of this node right, and is no proxy in between?",
    )


def too_big(call: Call, limit: int) -> TrackerError:
    """Return the error for an answer above ``limit`` bytes."""
    return bad_answer(call, Answer(200, {}, b""), f"is longer than {limit // 1_048_576} MiB")


def no_answer(call: Call, error: BaseException | None, *, sent: bool) -> TrackerError:
    """Return the error for a call that got no whole answer.

    Args:
        call: what it was for.
        error: what was raised; None where the time was up.
        sent: whether a byte of the request may have reached Jira.
    """
    if sent:
        late = error is None or _is_timeout(error)
        how = "did not answer in time" if late else "broke off its answer"
        return _no_answer(call, f"Jira {how} when asked to {call.what}.", unfinished=late)
    untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error))
    return TrackerUnreachable(
        f"Jira could not be asked to {call.what}: {_why_unreachable(error)}.",
        advice=_TRUST_ADVICE if untrusted else _WAIT_ADVICE,
    )


def _no_answer(call: Call, message: str, *, unfinished: bool) -> TrackerError:
    if call.write:
        return TrackerUncertain(f"{message} It may have been done.", advice=_PROBE_ADVICE, unfinished=unfinished)
    return TrackerUnreachable(message, advice=_WAIT_ADVICE)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it wraps: `requests` wraps `urllib3`, which wraps the operating system's."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]


def _is_timeout(error: BaseException) -> bool:
    return any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in _chain(error))


def _why_unreachable(error: BaseException | None) -> str:
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({clean(cause.verify_message)})"
        if isinstance(cause, ssl.SSLError):
            return "no secure connection could be made"
        if isinstance(cause, socket.gaierror):
            return "its host name is not known here"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing listens at its address"
    if error is None or _is_timeout(error):
        return "no connection was made in time"
    return "no connection could be made"


def retry_after(headers: Mapping[str, str], now_ms: int) -> float:
    """Return the seconds that a busy Jira asks us to wait: a number, or an HTTP date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    seconds = DEFAULT_RETRY_AFTER
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        seconds = float(value)
    elif value:
        then = _http_date_ms(value)
        now = _http_date_ms(headers.get("Date", ""))
        if then is not None:
            seconds = (then - (now_ms if now is None else now)) / 1000
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _http_date_ms(text: str) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def clean(text: str) -> str:
    """Return foreign text made fit for one line of a message: no control characters, no reversed writing, cut."""
    text = _CONTROL.sub(" ", text.encode(errors="replace").decode()).strip()
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 3] + "..."


def jira_reasons(body: bytes) -> tuple[str, dict[str, str]]:
    """Return Jira's reasons from the body of an error, as one readable text, and those that name a field by field.

    Understands ``errorMessages``, ``errors``, ``errorMessage`` and ``message``
    (https://developer.atlassian.com/cloud/jira/platform/rest/v2/intro/#status-codes); anything else gives nothing.
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", {}
    if not isinstance(found, dict):
        return "", {}
    messages: list[str] = []
    for name in ("errorMessages", "errorMessage", "message"):
        value = found.get(name)
        messages += [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, str)]
    errors = found.get("errors")
    fields = {
        clean(str(name)): clean(reason)
        for name, reason in list(errors.items() if isinstance(errors, dict) else ())[:_MOST_REASONS]
        if isinstance(reason, str)
    }
    texts = [clean(message) for message in messages[:_MOST_REASONS]]
    texts += [f"{name}: {reason}" for name, reason in fields.items()]
    return "; ".join(text.rstrip(".") for text in dict.fromkeys(texts) if text), fields


def _because(reasons: str) -> str:
    return f": {reasons}" if reasons else ""
