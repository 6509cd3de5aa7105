"""The pages that list: the overview with the projects, and the issues that a query finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlencode

from node.sandbox.model import Issue, Project
from node.sandbox.web.html import Child, Html, tag
from node.sandbox.web.pieces import View, issue_address, problems

PAGE_SIZE = 50
_RECENT = 12


def overview(view: View, projects: Sequence[Project], recent: Sequence[Issue]) -> str:
    """Return the first page: projects as cards and what was touched last."""
    counts = Counter(issue.project_id for issue in view.world.issues.values())
    cards = [
        tag(
            "a",
            tag("strong", project.name),
            tag("span", f"{project.key} · {_counted(counts[project.id])}", class_="key"),
            href=f"/browse/{project.key}",
            class_="card",
        )
        for project in projects
    ]
    nothing = tag("p", "There is no project yet. Create one over REST, or load issues at the start.", class_="muted")
    return view.page(
        "Overview",
        tag("div", tag("h1", view.world.site.title), class_="heading"),
        tag("h2", "Projects"),
        tag("div", cards, class_="grid") if cards else nothing,
        tag("h2", "Recently updated"),
        table(view, recent[:_RECENT]),
        current="/",
    )


def _counted(count: int) -> str:
    return "1 issue" if count == 1 else f"{count:,} issues"


def listing(
    view: View,
    *,
    jql: str,
    found: Sequence[Issue],
    start: int,
    messages: Sequence[str],
    project: Project | None,
) -> str:
    """Return the issues of a query, one page of them from ``start``, with the query in a box above."""
    title = project.name if project is not None else "Issues"
    crumbs = (
        tag("div", tag("a", "Projects", href="/"), tag("span", "/", class_="sep"), project.key, class_="crumbs")
        if project is not None
        else None
    )
    box = tag(
        "form",
        tag(
            "input",
            type="search",
            name="jql",
            value=jql,
            placeholder='project = ABC AND text ~ "printer" ORDER BY updated DESC',
            aria_label="Search with JQL",
            autocomplete="off",
            spellcheck="false",
        ),
        tag("button", "Search", class_="main"),
        action="/issues",
        method="get",
        class_="search",
        role="search",
    )
    shown = found[start : start + PAGE_SIZE]
    return view.page(
        title,
        crumbs,
        tag("div", tag("h1", title), class_="heading"),
        box,
        problems(messages),
        None if messages else table(view, shown),
        None if messages else _pages(jql, len(found), start),
        current="/issues",
    )


def _pages(jql: str, total: int, start: int) -> Html:
    def step(text: str, to: int) -> Html:
        return tag("a", text, href="/issues?" + urlencode({"jql": jql, "start": to}), class_="button")

    last = min(start + PAGE_SIZE, total)
    return tag(
        "div",
        tag("span", f"{start + 1:,} to {last:,} of {total:,}" if total else ""),
        tag(
            "span",
            step("Newer" if start else "", max(start - PAGE_SIZE, 0)) if start else None,
            " ",
            step("Older", last) if last < total else None,
        ),
        class_="pages",
    )


def table(view: View, issues: Sequence[Issue]) -> Html:
    """Return issues as a table."""
    if not issues:
        return tag("div", tag("p", "No issues here.", class_="empty"), class_="card flush")
    headings = ("Key", "Summary", "Status", "Priority", "Assignee", "Updated")
    rows: Child = [
        tag(
            "tr",
            tag("td", view.type(issue.type_id), tag("a", issue.key, href=issue_address(issue)), class_="key"),
            tag("td", tag("a", issue.summary or "(no summary)", href=issue_address(issue)), class_="summary"),
            tag("td", view.status(issue.status_id)),
            tag("td", _priority(view, issue), class_="muted"),
            tag("td", view.person(issue.assignee, "Unassigned")),
            tag("td", view.moment(issue.updated), class_="muted"),
        )
        for issue in issues
    ]
    head = tag("thead", tag("tr", [tag("th", heading) for heading in headings]))
    return tag("div", tag("table", head, tag("tbody", rows), class_="list"), class_="card flush scroll")


def _priority(view: View, issue: Issue) -> str:
    priority = view.world.site.priorities.get(issue.priority_id or "")
    return priority.name if priority is not None else ""
