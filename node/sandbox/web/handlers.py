"""What the pages do: they look at the same world and act through the same functions as the REST routes.

Whoever listens to the world, such as a webhook, cannot tell an act here from one over REST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from node.sandbox import attachments, comments, issues, transitions
from node.sandbox.errors import Forbidden, JiraProblem, NotThere
from node.sandbox.jql import JqlError
from node.sandbox.model import Issue, Project, Transition
from node.sandbox.permissions import can_read, may, require, visible_issue
from node.sandbox.queries import run_query
from node.sandbox.store import World
from node.sandbox.web import requests
from node.sandbox.web.html import tag
from node.sandbox.web.page_forms import create_page, edit_page, transition_page
from node.sandbox.web.page_issue import PICTURES, issue_page
from node.sandbox.web.page_list import listing, overview
from node.sandbox.web.pieces import View, issue_address, problems
from node.sandbox.web.requests import EXPIRED, Posted, page, see
from node.sandbox.web.session import Session, Sessions

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Shown = Callable[[View, web.Request], web.Response]
Done = Callable[[View, web.Request, Posted], web.Response]

_A_YEAR = 365 * 24 * 60 * 60
_LAST_START = 10_000_000


class Pages:
    """The handlers, one per page or act."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        self._world = world
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        """Return every page and act with its address."""
        shows: Mapping[str, Shown] = {
            "/": self._overview,
            "/issues": self._issues,
            "/browse/{key}": self._browse,
            "/browse/{key}/edit": self._edit_form,
            "/browse/{key}/transition/{transition}": self._transition_form,
            "/create": self._create_form,
            "/files/{id}/{name}": self._file,
        }
        does: Mapping[str, Done] = {
            "/user": self._switch,
            "/create": self._create,
            "/browse/{key}/edit": self._edit,
            "/browse/{key}/comment": self._comment,
            "/browse/{key}/transition": self._transition,
            "/browse/{key}/attach": self._attach,
        }
        return [
            *(web.get(path, self._shown(show)) for path, show in shows.items()),
            *(web.post(path, self._done(act, upload=path.endswith("/attach"))) for path, act in does.items()),
        ]

    # --- around every request

    def _shown(self, show: Shown) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            session = self._sessions.read(request.cookies.get(_cookie(request))) or self._sessions.start()
            if session is None:
                return page("This Jira has no users yet, so that there is nobody to look at it.", status=503)
            view = self._view(session, request)
            response = _answer(view, lambda: show(view, request))
            _remember(request, response, session)
            return response

        return handler

    def _done(self, act: Done, *, upload: bool) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            session = self._sessions.read(request.cookies.get(_cookie(request)))
            if session is None:
                return page(EXPIRED, status=403)
            view = self._view(session, request)
            try:
                requests.check_origin(request)
                posted = await self._read(request, view, upload=upload)
                if not self._sessions.accepts(session, posted.token):
                    raise Forbidden(EXPIRED)
            except JiraProblem as problem:
                return _problem_page(view, problem)
            return _answer(view, lambda: act(view, request, posted))

        return handler

    async def _read(self, request: web.Request, view: View, *, upload: bool) -> Posted:
        if upload:
            return await requests.read_upload(request, self._world.site.upload_limit, view.token)
        return await requests.read_form(request)

    def _view(self, session: Session, request: web.Request) -> View:
        return View(self._world, session.user, self._sessions.token(session), request.path_qs)

    # --- looking

    def _overview(self, view: View, _request: web.Request) -> web.Response:
        _, recent = run_query(self._world, "ORDER BY updated DESC", view.user)
        return page(overview(view, self._projects(view, "BROWSE_PROJECTS"), recent))

    def _issues(self, view: View, request: web.Request) -> web.Response:
        return self._listing(view, request.query.get("jql", ""), request.query.get("start", "0"), None)

    def _listing(self, view: View, jql: str, start: str, project: Project | None) -> web.Response:
        messages: Sequence[str] = ()
        found: Sequence[Issue] = ()
        try:
            _, found = run_query(self._world, jql.strip() or "ORDER BY updated DESC", view.user)
        except JqlError as wrong:
            messages = wrong.messages
        first = min(int(start), _LAST_START) if start.isdecimal() and start.isascii() else 0
        text = listing(view, jql=jql, found=found, start=first, messages=messages, project=project)
        return page(text, status=400 if messages else 200)

    def _browse(self, view: View, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        project = self._world.project(key)
        if project is not None and may(view.user, "BROWSE_PROJECTS", project):
            return self._listing(view, f'project = "{project.key}" ORDER BY updated DESC', "0", project)
        return self._issue(view, visible_issue(self._world, view.user, key))

    def _issue(
        self, view: View, issue: Issue, *, messages: Sequence[str] = (), draft: str = "", status: int = 200
    ) -> web.Response:
        shown = [one for one in issue.comments if can_read(self._world, view.user, issue, one.visibility)]
        ways = transitions.open_transitions(self._world, issue, view.user)
        text = issue_page(view, issue, transitions=ways, comments=shown, messages=messages, draft=draft)
        return page(text, status=status)

    def _edit_form(self, view: View, request: web.Request) -> web.Response:
        return page(edit_page(view, self._visible(view, request), {}))

    def _transition_form(self, view: View, request: web.Request) -> web.Response:
        issue = self._visible(view, request)
        return page(transition_page(view, issue, self._way(view, issue, request.match_info["transition"]), {}))

    def _create_form(self, view: View, request: web.Request) -> web.Response:
        return page(create_page(view, self._projects(view, "CREATE_ISSUES"), dict(request.query)))

    def _file(self, view: View, request: web.Request) -> web.Response:
        issue, attachment = attachments.find(self._world, request.match_info["id"])
        visible_issue(self._world, view.user, issue.key)
        content = attachments.content_of(self._world, attachment)
        picture = attachment.mime_type in PICTURES and bool(attachment.blob)
        return requests.download(content, attachment.filename, attachment.mime_type, shown=picture)

    # --- acting

    def _switch(self, _view: View, request: web.Request, posted: Posted) -> web.Response:
        user = self._world.user(posted.texts.get("user"))
        session = self._sessions.start(user) if user is not None and user.active else None
        if session is None:
            raise NotThere("There is no such person here.")
        response = see(requests.local(posted.texts.get("back", "/")))
        _remember(request, response, session)
        return response

    def _create(self, view: View, _request: web.Request, posted: Posted) -> web.Response:
        given = posted.texts
        fields: dict[str, Any] = {
            "project": {"key": given.get("project", "")},
            "issuetype": {"id": given.get("type", "")},
            "summary": given.get("summary", ""),
            "description": _lines(given.get("description", "")),
        }
        if given.get("priority"):
            fields["priority"] = {"id": given["priority"]}
        try:
            issue = issues.create(self._world, {"fields": fields}, view.user)
        except JiraProblem as problem:
            projects = self._projects(view, "CREATE_ISSUES")
            return page(create_page(view, projects, given, messages=_messages(problem)), status=problem.status)
        return see(issue_address(issue))

    def _edit(self, view: View, request: web.Request, posted: Posted) -> web.Response:
        issue, given = self._visible(view, request), posted.texts
        fields = {"summary": given.get("summary", ""), "description": _lines(given.get("description", ""))}
        changed = {name: text for name, text in fields.items() if text != (getattr(issue, name) or "")}
        try:
            if changed:
                issues.update(self._world, issue, {"fields": changed}, view.user)
        except JiraProblem as problem:
            return page(edit_page(view, issue, given, messages=_messages(problem)), status=problem.status)
        return see(issue_address(issue))

    def _comment(self, view: View, request: web.Request, posted: Posted) -> web.Response:
        issue, body = self._visible(view, request), _lines(posted.texts.get("body", ""))
        try:
            self._require(view, issue, "ADD_COMMENTS", "comment on")
            comment = comments.add(self._world, issue, view.user, comments.read_draft(self._world, {"body": body}))
        except JiraProblem as problem:
            return self._issue(view, issue, messages=_messages(problem), draft=body, status=problem.status)
        return see(f"{issue_address(issue)}#comment-{comment.id}")

    def _transition(self, view: View, request: web.Request, posted: Posted) -> web.Response:
        issue, given = self._visible(view, request), posted.texts
        way = self._way(view, issue, given.get("transition", ""))
        body: dict[str, Any] = {"transition": {"id": way.id}, "fields": {}}
        if given.get("resolution"):
            body["fields"]["resolution"] = {"id": given["resolution"]}
        if "assignee" in given:
            body["fields"]["assignee"] = {"name": given["assignee"]} if given["assignee"] else None
        if given.get("comment", "").strip():
            body["update"] = {"comment": [{"add": {"body": _lines(given["comment"])}}]}
        try:
            transitions.perform(self._world, issue, body, view.user)
        except JiraProblem as problem:
            return page(transition_page(view, issue, way, given, messages=_messages(problem)), status=problem.status)
        return see(issue_address(issue))

    def _attach(self, view: View, request: web.Request, posted: Posted) -> web.Response:
        issue = self._visible(view, request)
        try:
            self._require(view, issue, "CREATE_ATTACHMENTS", "attach files to")
        except JiraProblem as problem:
            return self._issue(view, issue, messages=_messages(problem), status=problem.status)
        if not posted.files:
            return self._issue(view, issue, messages=["Choose a file to attach."], status=400)
        attachments.add(self._world, issue, view.user, posted.files)
        return see(issue_address(issue))

    # --- finding

    def _visible(self, view: View, request: web.Request) -> Issue:
        return visible_issue(self._world, view.user, request.match_info["key"])

    def _way(self, view: View, issue: Issue, transition_id: str) -> Transition:
        ways = transitions.open_transitions(self._world, issue, view.user)
        found = next((way for way in ways if way.id == transition_id), None)
        if found is None:
            raise NotThere(f"{issue.key} cannot take that step from where it stands now. Load its page again.")
        return found

    def _projects(self, view: View, permission: str) -> list[Project]:
        allowed = (project for project in self._world.site.projects.values() if may(view.user, permission, project))
        return sorted(allowed, key=lambda project: project.name.casefold())

    def _require(self, view: View, issue: Issue, permission: str, what: str) -> None:
        project = self._world.site.projects[issue.project_id]
        require(view.user, permission, f"You do not have the permission to {what} this issue.", project)


def _answer(view: View, answer: Callable[[], web.Response]) -> web.Response:
    try:
        return answer()
    except JiraProblem as problem:
        return _problem_page(view, problem)


def _problem_page(view: View, problem: JiraProblem) -> web.Response:
    heading = tag("div", tag("h1", "That did not work"), class_="heading")
    text = view.page("That did not work", heading, problems(_messages(problem)), tag("a", "Overview", href="/"))
    return page(text, status=problem.status)


def _messages(problem: JiraProblem) -> list[str]:
    return [*problem.messages, *problem.errors.values()]


def _lines(text: str) -> str:
    """Return a text area's text with plain line ends: browsers send it with carriage returns."""
    return text.replace("\r\n", "\n")


def _cookie(request: web.Request) -> str:
    """Return the cookie's name: browsers do not tell the ports of one host apart, and several sandboxes share it."""
    return f"sandbox-{request.url.port}"


def _remember(request: web.Request, response: web.Response, session: Session) -> None:
    if request.cookies.get(_cookie(request)) != session.cookie:
        response.set_cookie(_cookie(request), session.cookie, max_age=_A_YEAR, httponly=True, samesite="Strict")
