"""Turns mappings into scripts that say the same, and such scripts back into mappings. Pure.

A script is taken back only where it is, to the letter, what would be written for some mapping; anything else is refused
with the line. A mapping for which a script would not mean the same is refused too, with the reason.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence

from node.errors import UsageError
from node.rules.diff import label
from node.rules.ruleset import Default, Direction, MappingStep, RuleSet, ScriptStep
from node.rules.templates import LOOK_UP, NoScript, block_for

MADE_NAME = "Mappings"
"""What a script is called that was made of mappings."""


class NotMappings(UsageError):
    """A script cannot become mappings. ``step`` and ``line`` count from 1."""

    def __init__(self, message: str, *, step: int, line: int, advice: str) -> None:
        super().__init__(message, advice=advice)
        self.step = step
        self.line = line


def to_script(ruleset: RuleSet, *, kinds: Mapping[str, str] | None = None) -> RuleSet:
    """Return the rule set with every run of mappings written as one script; scripts stay as they are.

    Args:
        ruleset: the rules to turn.
        kinds: the kinds of our custom fields by name (``custom.Severity``), as far as they are known.

    Raises:
        UsageError: a mapping has no script that means the same; nothing is turned then.
    """
    steps: list[MappingStep | ScriptStep] = []
    numbered = enumerate(ruleset.steps, start=1)
    for is_mapping, group in itertools.groupby(numbered, key=lambda one: isinstance(one[1], MappingStep)):
        run = list(group)
        if not is_mapping:
            steps += [step for _, step in run]
            continue
        blocks = [_block(number, step, ruleset.direction, kinds or {}) for number, step in run]
        steps.append(ScriptStep(name=MADE_NAME, source=_source(blocks)))
    return ruleset.model_copy(update={"steps": tuple(steps)})


def to_mappings(ruleset: RuleSet, *, kinds: Mapping[str, str] | None = None) -> RuleSet:
    """Return the rule set with every script written as mappings; mappings stay as they are. Raises NotMappings."""
    steps: list[MappingStep] = []
    for number, step in enumerate(ruleset.steps, start=1):
        if isinstance(step, MappingStep):
            steps.append(step)
        else:
            steps += _mappings_of(number, step, ruleset.direction, kinds or {})
    return ruleset.model_copy(update={"steps": tuple(steps)})


def _block(number: int, step: object, direction: Direction, kinds: Mapping[str, str]) -> str:
    if not isinstance(step, MappingStep):
        raise TypeError("only mappings are turned into scripts")
    try:
        return block_for(step, direction, kinds)
    except NoScript as error:
        raise UsageError(
            f"Step {number} ({label(step)}) has no script that means the same: {error}.",
            advice="Change or remove that step first, or write the script by hand. Nothing was changed.",
        ) from None


def _source(blocks: Sequence[str]) -> str:
    head = [LOOK_UP] if any("look_up(" in block for block in blocks) else []
    return "\n".join([*head, *blocks])


def _mappings_of(number: int, step: ScriptStep, direction: Direction, kinds: Mapping[str, str]) -> list[MappingStep]:
    found: list[MappingStep] = []
    blocks: list[str] = []
    for line, text in _pieces(step.source):
        if text == LOOK_UP and not found:
            continue
        mapping = next((one for one in _candidates(text) if _written(one, direction, kinds) == text), None)
        if mapping is None:
            raise _not_ours(number, step, line, text, direction, kinds)
        found.append(mapping)
        blocks.append(text)
    if not found or _source(blocks) != step.source:
        raise _not_ours(number, step, 1, step.source, direction, kinds)
    return found


def _written(step: MappingStep, direction: Direction, kinds: Mapping[str, str]) -> str | None:
    try:
        return block_for(step, direction, kinds)
    except NoScript:
        return None


def _pieces(source: str) -> Iterator[tuple[int, str]]:
    """Cut a script before every comment that stands alone at the left, with the number of its first line."""
    lines = source.split("\n")
    starts = [0] + [number for number, line in enumerate(lines) if line.startswith("# ") and number > 0]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        piece = lines[start:end]
        text = "\n".join(piece)
        yield start + 1, text if end == len(lines) else text + "\n" if not text.endswith("\n") else text


def _candidates(text: str) -> Iterator[MappingStep]:
    """Guess which mappings a piece may have been made of; whether it was is decided by writing them again."""
    first = text.split("\n", 1)[0]
    names = first.removeprefix("# ").split(" to ")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    constants = _constants(tree)
    values, default = constants.get("values", {}), constants.get("default")
    if not isinstance(values, dict) or not all(isinstance(part, str) for pair in values.items() for part in pair):
        return
    choices: list[object] = ["nothing", "error", "create"]
    if isinstance(default, str):
        choices.append(Default(default=default))
    for cut in range(1, len(names)):
        source, target = " to ".join(names[:cut]), " to ".join(names[cut:])
        for when, people, otherwise in itertools.product(("always", "create"), ("name", "email"), choices):
            try:
                yield MappingStep.model_validate(
                    {"source": source, "target": target, "when": when, "people": people, "values": values,
                     "otherwise": otherwise}
                )  # fmt: skip
            except ValueError:
                return


def _constants(tree: ast.Module) -> dict[str, object]:
    """Return what the names ``values`` and ``default`` are set to, where that is written out."""
    found: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except (ValueError, TypeError, RecursionError, MemoryError):
                continue
    return found


def _not_ours(
    number: int, step: ScriptStep, line: int, text: str, direction: Direction, kinds: Mapping[str, str]
) -> NotMappings:
    """Name the first line that is not what would be written, as near as it can be told."""
    nearest = 0
    mine = text.split("\n")
    for candidate in _candidates(text):
        written = (_written(candidate, direction, kinds) or "").split("\n")
        same = next((at for at, (one, other) in enumerate(zip(mine, written, strict=False)) if one != other), None)
        nearest = max(nearest, min(len(mine), len(written)) - 1 if same is None else same)
    place = line + nearest
    lines = step.source.split("\n")
    shown = lines[place - 1].strip() if place <= len(lines) else ""
    return NotMappings(
        f"Step {number} ({label(step)}), line {place}: {shown!r} is not what any mapping would be written as, "
        "so the script cannot become mappings.",
        step=number,
        line=place,
        advice="Keep the script; or take out what was written by hand, and turn the rest back. Nothing was changed.",
    )
