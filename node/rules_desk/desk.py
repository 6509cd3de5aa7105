"""Puts the use cases around rules together, for the composition root. No behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from node.rulebook import RuleBook
from node.rules.facts import CachedFacts
from node.rules.script.engine import RuleEngine
from node.rules_desk.compare import Comparing
from node.rules_desk.explaining import Explaining
from node.rules_desk.preview import Previews
from node.rules_desk.publishing import Publishing
from node.rules_desk.recording import Recording
from node.sync.site import Site


@dataclass(frozen=True, slots=True)
class RulesDesk:
    """Everything that people do with rules."""

    publishing: Publishing
    previews: Previews
    comparing: Comparing
    recording: Recording
    explaining: Explaining


def rules_desk(
    site: Site, book: RuleBook, engine: RuleEngine, facts: CachedFacts, *, published: Callable[[], Awaitable[None]]
) -> RulesDesk:
    """Build the desk over the sync core's site. ``published`` is called when rules became the current ones."""
    publishing = Publishing(site.store, book, engine, facts, refresh=facts.refresh, published=published)
    return RulesDesk(
        publishing,
        Previews(site, publishing, engine),
        Comparing(site, publishing, engine),
        Recording(site, publishing, engine),
        Explaining(site.store, publishing),
    )
