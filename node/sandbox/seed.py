"""The Jira that a newcomer gets: people, a software workflow with screens, and the usual configuration.

Every helper here works on a ``World`` directly: it is the administrator's hand for tests and demos, without HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.sandbox.clock import SandboxClock
from node.sandbox.fields import KINDS
from node.sandbox.model import (
    CustomField,
    IssueType,
    LinkType,
    Option,
    Priority,
    Project,
    Resolution,
    Role,
    ScreenField,
    Status,
    Transition,
    User,
    Workflow,
)
from node.sandbox.permissions import ADMINISTRATORS, USERS
from node.sandbox.store import World

PROJECT_ADMINISTRATORS = "10002"
DEVELOPERS = "10001"
SIMPLE_WORKFLOW = "1"

_RESOLUTION_SCREEN = [ScreenField("resolution", required=True), ScreenField("assignee"), ScreenField("fixVersions")]


def default_world(clock: SandboxClock | None = None) -> World:
    """Return a Jira with four people and no project: admin/admin, alice/alice, bob/bob and accord/accord."""
    world = World(clock=clock)
    site = world.site
    site.groups = [ADMINISTRATORS, USERS]
    site.statuses = {
        status.id: status
        for status in (
            Status("10000", "To Do", "", "new"),
            Status("3", "In Progress", "This issue is being actively worked on by the assignee.", "indeterminate"),
            Status("10001", "In Review", "", "indeterminate"),
            Status("10002", "Done", "", "done"),
        )
    }
    site.issue_types = {
        kind.id: kind
        for kind in (
            IssueType("10000", "Epic", "A big user story that needs to be broken down.", avatar_id=10307),
            IssueType("10001", "Story", "A user story.", avatar_id=10315),
            IssueType("10002", "Task", "A task that needs to be done.", avatar_id=10318),
            IssueType("10003", "Sub-task", "The sub-task of the issue.", subtask=True, avatar_id=10316),
            IssueType("10004", "Bug", "A problem which impairs the functions of the product.", avatar_id=10303),
        )
    }
    site.priorities = {
        priority.id: priority
        for priority in (
            Priority("1", "Highest", "This problem will block progress.", "#d04437"),
            Priority("2", "High", "Serious problem that could block progress.", "#f15C75"),
            Priority("3", "Medium", "Has the potential to affect progress.", "#f79232"),
            Priority("4", "Low", "Minor problem or easily worked around.", "#707070"),
            Priority("5", "Lowest", "Trivial problem with little or no impact on progress.", "#999999"),
        )
    }
    site.resolutions = {
        resolution.id: resolution
        for resolution in (
            Resolution("10000", "Done", "Work has been completed on this issue."),
            Resolution("10001", "Won't Do", "This issue won't be actioned."),
            Resolution("10002", "Duplicate", "The problem is a duplicate of an existing issue."),
            Resolution("10003", "Cannot Reproduce", "All attempts at reproducing this issue failed."),
        )
    }
    site.link_types = {
        kind.id: kind
        for kind in (
            LinkType("10000", "Blocks", "is blocked by", "blocks"),
            LinkType("10001", "Cloners", "is cloned by", "clones"),
            LinkType("10002", "Duplicate", "is duplicated by", "duplicates"),
            LinkType("10003", "Relates", "relates to", "relates to"),
        )
    }
    site.roles = {
        role.id: role
        for role in (
            Role(
                PROJECT_ADMINISTRATORS, "Administrators", "A project role that represents administrators in a project"
            ),
            Role(DEVELOPERS, "Developers", "A project role that represents developers in a project"),
        )
    }
    site.workflows = {SIMPLE_WORKFLOW: simple_workflow()}
    for kind, start in (("issuetype", 10_005), ("status", 10_003), ("resolution", 10_004), ("linktype", 10_004)):
        site.next_ids[kind] = start
    create_user(world, "admin", "Administrator", password="admin", admin=True)  # noqa: S106 - a toy's first user
    create_user(world, "alice", "Alice Archer", password="alice")  # noqa: S106 - the same
    create_user(world, "bob", "Bob Brewer", password="bob")  # noqa: S106 - the same
    create_user(world, "accord", "Accord Sync", password="accord", admin=True)  # noqa: S106 - the same
    return world


def simple_workflow() -> Workflow:
    """Return To Do, In Progress, In Review, Done; going to Done asks for a resolution, coming back clears it."""
    todo, doing, review, done = "10000", "3", "10001", "10002"
    return Workflow(
        SIMPLE_WORKFLOW,
        "Software workflow",
        todo,
        [
            Transition("11", "Start progress", doing, [todo], event="issue_work_started"),
            Transition("21", "Stop progress", todo, [doing], event="issue_work_stopped"),
            Transition("31", "Request review", review, [doing], [ScreenField("assignee")]),
            Transition("41", "Reject", doing, [review]),
            Transition("51", "Done", done, [todo, doing, review], list(_RESOLUTION_SCREEN), event="issue_resolved"),
            Transition("61", "Reopen", todo, [done], resolution="", event="issue_reopened"),
        ],
    )


def open_workflow(workflow_id: str, name: str, statuses: Sequence[Status]) -> Workflow:
    """Return a workflow in which every status leads to every other one; the first status is the initial one."""
    transitions = []
    for number, status in enumerate(statuses, 1):
        others = [other.id for other in statuses if other.id != status.id]
        if status.category == "done":
            transition = Transition(f"{number}1", status.name, status.id, others, list(_RESOLUTION_SCREEN))
        else:
            transition = Transition(f"{number}1", status.name, status.id, others, resolution="")
        transitions.append(transition)
    return Workflow(workflow_id, name, statuses[0].id, transitions)


def create_user(
    world: World,
    name: str,
    display_name: str = "",
    *,
    password: str | None = None,
    email: str | None = None,
    time_zone: str = "UTC",
    admin: bool = False,
    key: str | None = None,
) -> User:
    """Add a person who may work on all issues, and administer when ``admin``. Raises ValueError when taken."""
    if world.user_named(name) is not None:
        msg = f"There is already a user named {name}."
        raise ValueError(msg)
    user = User(
        key if key is not None else name,
        name,
        display_name or name,
        email if email is not None else f"{name}@example.com",
        time_zone,
        groups=[ADMINISTRATORS, USERS] if admin else [USERS],
    )
    world.site.users[user.key] = user
    if password is not None:
        world.set_password(user, password)
    world.reindex_site()
    return user


def create_project(
    world: World,
    key: str,
    name: str | None = None,
    *,
    lead: str = "admin",
    workflow_id: str = SIMPLE_WORKFLOW,
    issue_types: Iterable[str] = ("Task", "Bug", "Story", "Sub-task", "Epic"),
    project_id: str | None = None,
) -> Project:
    """Add a project; ``lead`` is a user key, ``issue_types`` are names. Raises ValueError when the key is taken."""
    if world.project(key) is not None:
        msg = f"There is already a project {key}."
        raise ValueError(msg)
    by_name = {kind.name: kind.id for kind in world.site.issue_types.values()}
    project = Project(
        project_id if project_id is not None else world.new_id("project"),
        key.upper(),
        name if name is not None else key.upper(),
        lead,
        workflow_id,
        [by_name[kind] for kind in issue_types if kind in by_name],
        role_users={PROJECT_ADMINISTRATORS: [lead]},
        role_groups={PROJECT_ADMINISTRATORS: [ADMINISTRATORS], DEVELOPERS: [USERS]},
    )
    world.site.projects[project.id] = project
    world.reindex_site()
    return project


def create_field(
    world: World,
    name: str,
    kind: str,
    *,
    options: Sequence[str] | Mapping[str, Sequence[str]] = (),
    description: str = "",
    projects: Iterable[str] = (),
    issue_types: Iterable[str] = (),
) -> CustomField:
    """Add a custom field of a kind of ``fields.KINDS``.

    ``options`` are values, or for a cascading field values with their children. ``projects`` are keys and
    ``issue_types`` names that the field is limited to. Raises ValueError for an unknown kind.
    """
    if kind not in KINDS:
        msg = f"There is no kind of field named {kind!r}; there are: {', '.join(KINDS)}."
        raise ValueError(msg)
    custom = CustomField(f"customfield_{world.new_id('field')}", name, kind, description)
    for value in options:
        children = options[value] if isinstance(options, Mapping) else ()
        custom.options.append(
            Option(world.new_id("option"), value, [Option(world.new_id("option"), child) for child in children])
        )
    custom.project_ids = [found.id for found in (world.project(key) for key in projects) if found is not None]
    wanted = set(issue_types)
    custom.issue_type_ids = [kind.id for kind in world.site.issue_types.values() if kind.name in wanted]
    world.site.fields[custom.id] = custom
    world.touch_site()
    return custom
