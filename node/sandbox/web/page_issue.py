"""The page of one issue: what it says, what may be done with it, who wrote what, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from node.sandbox.field_values import describe, get_value
from node.sandbox.fields import definition_of
from node.sandbox.model import Attachment, ChangeItem, Comment, Issue, IssueLink, Project, Transition
from node.sandbox.web.html import Child, Html, join, tag
from node.sandbox.web.pieces import View, avatar, issue_address, problems
from node.sandbox.web.wiki import Surroundings, show

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Kinds of files that a browser may show in the page; all others are only handed out as downloads."""
_SYSTEM_FACTS = ("priority", "resolution", "labels", "components", "versions", "fixVersions", "duedate")
_SHOWN_CHANGES = 200
_SHOWN_COMMENTS = 500
_LONGEST_VALUE = 240


def issue_page(
    view: View,
    issue: Issue,
    *,
    transitions: Sequence[Transition],
    comments: Sequence[Comment],
    messages: Sequence[str] = (),
    draft: str = "",
) -> str:
    """Return the page; ``draft`` is a comment that could not be kept and must not be lost."""
    project = view.world.site.projects[issue.project_id]
    around = _surroundings(view, issue)
    return view.page(
        f"{issue.key} {issue.summary}",
        _heading(view, issue, project),
        problems(messages),
        _transitions(view, issue, transitions),
        tag(
            "div",
            tag(
                "div",
                _description(issue, around),
                _files(view, issue),
                _relations(view, issue),
                _comments(view, issue, comments, around, draft),
                _history(view, issue),
            ),
            tag("aside", _details(view, issue), _people(view, issue), _dates(view, issue)),
            class_="columns",
        ),
        current="/issues",
    )


def file_address(attachment: Attachment) -> str:
    """Return the address of a file's bytes."""
    return f"/files/{attachment.id}/{quote(attachment.filename, safe='')}"


def _surroundings(view: View, issue: Issue) -> Surroundings:
    def person(name: str) -> str | None:
        user = view.world.user_named(name)
        return user.display_name if user is not None else None

    pictures = {file.filename: file_address(file) for file in issue.attachments}
    return Surroundings(pictures, person)


def _heading(view: View, issue: Issue, project: Project) -> Html:
    parent = view.world.issues.get(issue.parent_id or "")
    steps: list[Child] = [tag("a", project.name, href=f"/browse/{project.key}")]
    if parent is not None:
        steps.append(tag("a", parent.key, href=issue_address(parent)))
    steps.append(join(view.type(issue.type_id), issue.key))
    crumbs = [[tag("span", "/", class_="sep") if position else None, step] for position, step in enumerate(steps)]
    edit = tag("a", "Edit", href=issue_address(issue, "edit"), class_="button")
    return tag(
        "div",
        tag("div", tag("div", crumbs, class_="crumbs"), tag("h1", issue.summary or "(no summary)")),
        edit,
        class_="heading",
    )


def _transitions(view: View, issue: Issue, transitions: Sequence[Transition]) -> Html:
    buttons: list[Child] = []
    for transition in transitions:
        if transition.screen:
            address = issue_address(issue, "transition", transition.id)
            buttons.append(tag("a", transition.name, href=address, class_="button"))
        else:
            action = issue_address(issue, "transition")
            hidden = tag("input", type="hidden", name="transition", value=transition.id)
            buttons.append(view.form(action, hidden, tag("button", transition.name)))
    return tag("div", view.status(issue.status_id), buttons, class_="row field")


def _description(issue: Issue, around: Surroundings) -> Html:
    content = show(issue.description, around) if issue.description else tag("p", "No description.", class_="muted")
    environment = [tag("h3", "Environment"), show(issue.environment, around)] if issue.environment else None
    return _card("Description", content, environment)


def _card(title: str, *content: Child, aside: Child = None, anchor: str | None = None) -> Html:
    return tag("section", tag("header", tag("h2", title), aside), content, class_="card", id=anchor)


def _files(view: View, issue: Issue) -> Html:
    tiles = [
        tag(
            "a",
            tag("div", _picture(file), class_="picture"),
            tag("div", file.filename, class_="name"),
            tag("div", f"{_size(file.size)} · ", view.moment(file.created), class_="about"),
            href=file_address(file),
            class_="file",
            title=file.filename,
        )
        for file in issue.attachments
    ]
    upload = view.form(
        issue_address(issue, "attach"),
        tag("input", type="file", name="file", multiple=True, required=True, aria_label="Files to attach"),
        tag("button", "Attach"),
        upload=True,
        class_="row",
    )
    return _card("Attachments", tag("div", tiles, class_="files") if tiles else None, upload, aside=_count(tiles))


def _picture(file: Attachment) -> Child:
    if file.mime_type in PICTURES and file.blob:
        return tag("img", src=file_address(file), alt="", loading="lazy")
    return (file.filename.rpartition(".")[2] or "file")[:5].upper()


_KIBI = 1024


def _size(size: int) -> str:
    if size < _KIBI:
        return f"{size} B"
    return f"{size / _KIBI:.0f} kB" if size < _KIBI * _KIBI else f"{size / _KIBI / _KIBI:.1f} MB"


def _count(things: Sequence[object]) -> Html:
    return tag("span", str(len(things)) if things else "", class_="muted small")


def _relations(view: View, issue: Issue) -> Html | None:
    world = view.world
    subtasks = [world.issues[subtask_id] for subtask_id in issue.subtask_ids if subtask_id in world.issues]
    rows: list[tuple[str, Child]] = [("sub-task", _with_status(view, subtask)) for subtask in subtasks]
    links = (_link(view, issue, world.site.links.get(link_id)) for link_id in issue.link_ids)
    rows += [row for row in links if row is not None]
    for remote in issue.remote_links:
        address, title = str(remote.object.get("url", "")), str(remote.object.get("title", ""))
        link = tag("a", title or address, href=address, rel="noopener noreferrer nofollow", target="_blank")
        rows.append((remote.relationship or "links to", link))
    if not rows:
        return None
    items = [tag("li", tag("span", how, class_="how"), tag("span", what)) for how, what in rows]
    return _card("Related", tag("ul", items, class_="links"), aside=_count(rows))


def _link(view: View, issue: Issue, link: IssueLink | None) -> tuple[str, Child] | None:
    if link is None:
        return None
    kind = view.world.site.link_types[link.type_id]
    outward = link.source_id == issue.id
    other = view.world.issues.get(link.destination_id if outward else link.source_id)
    if other is None:
        return None
    return (kind.outward if outward else kind.inward), _with_status(view, other)


def _with_status(view: View, issue: Issue) -> Html:
    return join(view.link(issue), " ", view.status(issue.status_id))


def _comments(view: View, issue: Issue, comments: Sequence[Comment], around: Surroundings, draft: str) -> Html:
    shown = comments[-_SHOWN_COMMENTS:]
    hidden = len(comments) - len(shown)
    box = view.form(
        issue_address(issue, "comment"),
        tag("div", avatar(view.user, large=True)),
        tag(
            "div",
            tag(
                "textarea",
                draft,
                name="body",
                required=True,
                aria_label="Your comment",
                placeholder="Add a comment",
            ),
            tag("p", tag("button", "Comment", class_="main")),
        ),
        class_="comment",
    )
    earlier = tag("p", f"{hidden:,} earlier comments are not shown.", class_="muted") if hidden else None
    return _card(
        "Comments",
        earlier,
        [_comment(view, comment, around) for comment in shown],
        box,
        aside=_count(comments),
        anchor="comments",
    )


def _comment(view: View, comment: Comment, around: Surroundings) -> Html:
    author = view.world.user(comment.author)
    name = author.display_name if author is not None else comment.author or "Anonymous"
    edited = [" · edited ", view.moment(comment.updated)] if comment.updated > comment.created else None
    restricted = (
        tag("span", f"visible to {comment.visibility.value} only", class_="restricted") if comment.visibility else None
    )
    return tag(
        "article",
        tag("div", avatar(author, large=True) if author else tag("span", "?", class_="avatar large hue-0")),
        tag(
            "div",
            tag("header", tag("strong", name), view.moment(comment.created), edited, restricted),
            show(comment.body or "", around),
        ),
        class_="comment",
        id=f"comment-{comment.id}",
    )


def _history(view: View, issue: Issue) -> Html | None:
    if not issue.history:
        return None
    rows = [
        tag(
            "tr",
            tag("td", view.moment(change.at), class_="muted"),
            tag("td", view.person(change.author, "Anonymous")),
            tag("td", item.field),
            tag("td", _cut(item.before_text), class_="value muted"),
            tag("td", "→", class_="arrow"),
            tag("td", _after(item), class_="value"),
        )
        for change in reversed(issue.history[-_SHOWN_CHANGES:])
        for item in change.items
    ]
    return _card(
        "History",
        tag("div", tag("table", rows, class_="history"), class_="scroll"),
        aside=_count(issue.history),
        anchor="history",
    )


def _after(item: ChangeItem) -> Child:
    return _cut(item.after_text) or tag("span", "none", class_="muted")


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _facts(title: str, facts: Sequence[tuple[str, Child]]) -> Html:
    pairs = [[tag("dt", name), tag("dd", value)] for name, value in facts if value]
    return tag("section", tag("h2", title), tag("dl", pairs, class_="facts"), class_="card")


def _details(view: View, issue: Issue) -> Html:
    facts: list[tuple[str, Child]] = [
        ("Type", join(view.type(issue.type_id), view.world.site.issue_types[issue.type_id].name)),
        ("Status", view.status(issue.status_id)),
    ]
    facts += [_fact(view, issue, field_id) for field_id in (*_SYSTEM_FACTS, *sorted(issue.custom))]
    return _facts("Details", facts)


def _fact(view: View, issue: Issue, field_id: str) -> tuple[str, Child]:
    definition = definition_of(view.world, field_id)
    value = get_value(issue, field_id)
    if definition is None or value is None or value == []:
        return field_id, None
    items = value if definition.kind.many else [value]
    texts = [describe(view.world, definition, item)[1] or "" for item in items]
    if definition.kind.type == "datetime" and isinstance(value, int):
        return definition.name, view.moment(value)
    if definition.kind.many:
        return definition.name, [tag("span", text, class_="chip") for text in texts]
    return definition.name, _cut(texts[0])


def _people(view: View, issue: Issue) -> Html:
    return _facts(
        "People",
        [
            ("Assignee", view.person(issue.assignee, "Unassigned")),
            ("Reporter", view.person(issue.reporter)),
            ("Watchers", str(len(issue.watchers)) if issue.watchers else None),
            ("Votes", str(len(issue.voters)) if issue.voters else None),
        ],
    )


def _dates(view: View, issue: Issue) -> Html:
    return _facts(
        "Dates",
        [
            ("Created", view.moment(issue.created)),
            ("Updated", view.moment(issue.updated)),
            ("Resolved", view.moment(issue.resolved) if issue.resolved is not None else None),
        ],
    )
