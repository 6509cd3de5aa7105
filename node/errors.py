"""Every error the node raises on purpose, as one tree; each says what happened and what to do next.

AccordError                    `.advice`: the next step for the person who reads it
├── ConfigError                the node's own settings or files are missing, wrong or unsafe
├── UsageError                 a request makes no sense: unknown connection, key that is not one, wrong state
├── TrackerError               the tracker (our Jira) did not do what was asked
│   ├── TrackerUnreachable     no answer, and the call certainly had no effect         -> tried again
│   ├── TrackerUncertain       no answer, and the call may have had its effect         -> probed, then tried again
│   ├── TrackerBusy            429 or 503, `.retry_after`                              -> tried again
│   ├── TrackerDenied          401 or 403: credentials or permissions                  -> tried again, told to the admin
│   ├── TrackerNotFound        404: the issue, comment or project is not there         -> final for that step
│   ├── TrackerRefused         400, 409, 413: what was asked is not possible, `.fields` -> final, held on that issue
│   └── TrackerNonsense        an answer of the wrong shape or size                    -> tried again, told to the admin
├── RuleError                  a rule failed on this issue, `.step`, `.line`           -> held on that issue
├── Fault                      a mistake of this program, on one issue               -> held on that issue, logged
├── PeerError                  the other node cannot be reached or does not answer as the protocol says
└── store and protocol errors  have trees of their own: `node.store.errors`, `protocol.errors`

Never a stack trace, a secret or a body of an answer in a message: messages are shown to people and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from typing_extensions import override


class AccordError(Exception):
    """What happened, in a sentence; ``advice`` is what to do next, also a sentence, or empty."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    @property
    def in_full(self) -> str:
        """The message, and on lines of their own what a person needs besides it to find the cause."""
        return self.message


class ConfigError(AccordError):
    """The node's own settings or files are missing, wrong or unsafe."""


class UsageError(AccordError):
    """A request makes no sense here; nothing was changed."""


class TrackerError(AccordError):
    """The tracker did not do what was asked."""

    temporary = False
    """Whether the same call may succeed later without anybody changing anything."""


class TrackerUnreachable(TrackerError):
    """No answer came, and the call certainly had no effect."""

    temporary = True


class TrackerUncertain(TrackerError):
    """No answer came, and the call may have had its effect: probe before calling again.

    ``unfinished`` says that the tracker may still be busy with it, so that a probe finds nothing yet.
    """

    temporary = True

    def __init__(self, message: str, *, advice: str = "", unfinished: bool = False) -> None:
        super().__init__(message, advice=advice)
        self.unfinished = unfinished


class TrackerBusy(TrackerError):
    """The tracker asks for patience. ``retry_after`` is in seconds."""

    temporary = True

    def __init__(self, message: str, *, retry_after: float, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.retry_after = retry_after


class TrackerDenied(TrackerError):
    """The tracker did not accept our credentials, or they lack a permission."""

    temporary = True


class TrackerNotFound(TrackerError):
    """The tracker does not know the issue, comment, attachment or project, or hides it from us."""


class TrackerRefused(TrackerError):
    """The tracker understood and will not do it. ``fields`` maps its field names to its reasons."""

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.fields = dict(fields or {})


class TrackerNonsense(TrackerError):
    """The tracker's answer has the wrong shape or size."""

    temporary = True


class RuleError(AccordError):
    """A rule failed on one issue. ``step`` counts from 1; ``line`` is a line of a script step.

    ``log`` is what the rules wrote until then.
    """

    def __init__(
        self, message: str, *, step: int | None = None, line: int | None = None, advice: str = "",
        log: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(message, advice=advice)
        self.step = step
        self.line = line
        self.log = tuple(log)

    @property
    @override
    def in_full(self) -> str:
        """The message, and below it the last lines of the log."""
        last = [line if len(line) <= _LOG_WIDTH else line[:_LOG_WIDTH] + "…" for line in self.log[-_LOG_LINES:]]
        if len(self.log) > _LOG_LINES:
            last.insert(0, f"({len(self.log) - _LOG_LINES} lines before these)")
        return "\n".join([self.message, *(f"    log: {line}" for line in last)])

    def with_earlier_log(self, log: Sequence[str]) -> Self:
        """Return it with what earlier steps wrote; one error may be that of many issues, so this one stays as it is."""
        if not log:
            return self
        both = type(self).__new__(type(self), *self.args)
        both.args = self.args
        both.__dict__.update(self.__dict__)
        both.log = (*log, *self.log)
        return both


_LOG_LINES = 20
"""Lines of a log that are kept with an error."""
_LOG_WIDTH = 200
"""Characters of such a line."""


class Fault(AccordError):
    """This program made a mistake of its own on one issue; named by its class only, because its text may hold data."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The node failed on this issue because of a mistake of its own ({type(error).__name__}).",
            advice="Report it with what the node's log says of it; then retry the issue, or skip it.",
        )


class PeerError(AccordError):
    """The other node cannot be reached, or does not answer as the protocol says."""
