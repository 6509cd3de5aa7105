"""The pages with a form: create an issue, edit its texts, take it through a transition that asks for something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.sandbox.model import Issue, Project, Transition
from node.sandbox.web.html import Child, Html, tag
from node.sandbox.web.pieces import View, choice, field, issue_address, problems

_MARKUP_HINT = "Wiki markup: *bold*, _italic_, h2. heading, * list, {code} ... {code}, [text|https://...]"


def create_page(
    view: View, projects: Sequence[Project], given: Mapping[str, str], *, messages: Sequence[str] = ()
) -> str:
    """Return the form for a new issue, filled with what was already given."""
    world = view.world
    chosen = next((project for project in projects if project.key == given.get("project")), None)
    project = chosen or (projects[0] if projects else None)
    if project is None:
        empty = tag("p", "There is no project in which you may create issues.", class_="empty")
        return view.page("Create issue", tag("h1", "Create issue"), empty)
    kinds = [world.site.issue_types[type_id] for type_id in project.issue_type_ids]
    types = [(kind.id, kind.name) for kind in kinds if not kind.subtask]
    priorities = [("", "Default"), *((each.id, each.name) for each in world.site.priorities.values())]
    switch = tag(
        "form",
        field(
            "Project",
            tag(
                "select",
                [
                    tag("option", f"{each.name} ({each.key})", value=each.key, selected=each is project)
                    for each in projects
                ],
                name="project",
                id="project",
                data_submit=True,
            ),
            "project",
        ),
        tag("button", "Choose", data_without_script=True),
        action="/create",
        method="get",
    )
    form = view.form(
        "/create",
        tag("input", type="hidden", name="project", value=project.key),
        tag(
            "div",
            field("Type", choice("type", types, given.get("type", "")), "type"),
            field("Priority", choice("priority", priorities, given.get("priority", "")), "priority"),
            class_="two",
        ),
        field("Summary", _line("summary", given.get("summary", "")), "summary"),
        field("Description", _text("description", given.get("description", "")), "description", hint=_MARKUP_HINT),
        _buttons("Create", f"/browse/{project.key}"),
    )
    return view.page(
        "Create issue",
        tag("div", tag("h1", "Create issue"), class_="heading"),
        problems(messages),
        tag("div", switch, form, class_="card narrow"),
    )


def edit_page(view: View, issue: Issue, given: Mapping[str, str], *, messages: Sequence[str] = ()) -> str:
    """Return the form for an issue's summary and description."""
    form = view.form(
        issue_address(issue, "edit"),
        field("Summary", _line("summary", given.get("summary", issue.summary)), "summary"),
        field(
            "Description",
            _text("description", given.get("description", issue.description or "")),
            "description",
            hint=_MARKUP_HINT,
        ),
        _buttons("Save", issue_address(issue)),
    )
    return _under(view, issue, f"Edit {issue.key}", problems(messages), form)


def transition_page(
    view: View, issue: Issue, transition: Transition, given: Mapping[str, str], *, messages: Sequence[str] = ()
) -> str:
    """Return the screen of a transition."""
    world, on_screen = view.world, {each.field_id for each in transition.screen}
    parts: list[Child] = [tag("input", type="hidden", name="transition", value=transition.id)]
    if "resolution" in on_screen:
        options = [(each.id, each.name) for each in world.site.resolutions.values()]
        parts.append(field("Resolution", choice("resolution", options, given.get("resolution", "")), "resolution"))
    if "assignee" in on_screen:
        people = sorted(world.site.users.values(), key=lambda user: user.display_name.casefold())
        names = [("", "Unassigned"), *((user.name, user.display_name) for user in people if user.active)]
        assignee = world.user(issue.assignee)
        now = given.get("assignee", assignee.name if assignee is not None else "")
        parts.append(field("Assignee", choice("assignee", names, now), "assignee"))
    parts.append(field("Comment", _text("comment", given.get("comment", ""), tall=False), "comment"))
    form = view.form(issue_address(issue, "transition"), parts, _buttons(transition.name, issue_address(issue)))
    return _under(view, issue, f"{transition.name}: {issue.key}", problems(messages), form)


def _under(view: View, issue: Issue, title: str, *content: Child) -> str:
    crumbs = tag("div", tag("a", issue.key, href=issue_address(issue)), class_="crumbs")
    heading = tag("div", tag("div", crumbs, tag("h1", title)), class_="heading")
    return view.page(title, heading, tag("div", content, class_="card narrow"), current="/issues")


def _line(name: str, value: str) -> Html:
    return tag("input", type="text", name=name, id=name, value=value, required=True, autocomplete="off")


def _text(name: str, value: str, *, tall: bool = True) -> Html:
    # A browser drops a line break that opens a text area; the one added here is what it drops.
    return tag("textarea", "\n" + value, name=name, id=name, class_="tall" if tall else None)


def _buttons(text: str, back: str) -> Html:
    return tag(
        "div",
        tag("a", "Cancel", href=back, class_="button"),
        tag("button", text, class_="main"),
        class_="row end",
    )
