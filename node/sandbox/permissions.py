"""Who may do what: one table over groups, beside the permissions that single users were denied.

Much simpler than Jira's schemes: people of ``jira-software-users`` work on all issues, administrators do the rest.
"""

from __future__ import annotations

from node.sandbox.errors import LOGIN_REQUIRED, NO_BROWSE, Forbidden, NotLoggedIn, NotThere
from node.sandbox.model import Issue, Project, User, Visibility
from node.sandbox.store import World

ADMINISTRATORS = "jira-administrators"
USERS = "jira-software-users"

USER_PERMISSIONS: dict[str, str] = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "EDIT_ISSUES": "Edit Issues",
    "ASSIGN_ISSUES": "Assign Issues",
    "ASSIGNABLE_USER": "Assignable User",
    "RESOLVE_ISSUES": "Resolve Issues",
    "CLOSE_ISSUES": "Close Issues",
    "TRANSITION_ISSUES": "Transition Issues",
    "SCHEDULE_ISSUES": "Schedule Issues",
    "MODIFY_REPORTER": "Modify Reporter",
    "LINK_ISSUES": "Link Issues",
    "ADD_COMMENTS": "Add Comments",
    "EDIT_OWN_COMMENTS": "Edit Own Comments",
    "DELETE_OWN_COMMENTS": "Delete Own Comments",
    "CREATE_ATTACHMENTS": "Create Attachments",
    "DELETE_OWN_ATTACHMENTS": "Delete Own Attachments",
    "WORK_ON_ISSUES": "Work On Issues",
    "EDIT_OWN_WORKLOGS": "Edit Own Worklogs",
    "DELETE_OWN_WORKLOGS": "Delete Own Worklogs",
    "VIEW_VOTERS_AND_WATCHERS": "View Voters and Watchers",
    "MANAGE_WATCHERS": "Manage Watchers",
    "DELETE_ISSUES": "Delete Issues",
    "USER_PICKER": "Browse Users",
}
"""What everybody may do, with the names that people read."""

ADMIN_PERMISSIONS: dict[str, str] = {
    "ADMINISTER": "Jira System Administrators",
    "SYSTEM_ADMIN": "Jira System Administrators",
    "ADMINISTER_PROJECTS": "Administer Projects",
    "EDIT_ALL_COMMENTS": "Edit All Comments",
    "DELETE_ALL_COMMENTS": "Delete All Comments",
    "DELETE_ALL_ATTACHMENTS": "Delete All Attachments",
    "EDIT_ALL_WORKLOGS": "Edit All Worklogs",
    "DELETE_ALL_WORKLOGS": "Delete All Worklogs",
    "MOVE_ISSUES": "Move Issues",
    "BULK_CHANGE": "Make Bulk Changes",
}
"""What administrators may do beside that."""

GLOBAL_PERMISSIONS = frozenset({"ADMINISTER", "SYSTEM_ADMIN", "USER_PICKER", "BULK_CHANGE"})


def may(user: User | None, permission: str, project: Project | None = None) -> bool:
    """Return whether the user has the permission, in the project when one is given.

    ``User.denied`` holds permission keys, or ``KEY:PROJECTKEY`` for a single project.
    """
    if user is None or permission in user.denied:
        return False
    if project is not None and f"{permission}:{project.key}" in user.denied:
        return False
    if ADMINISTRATORS in user.groups:
        return True
    return permission in USER_PERMISSIONS and USERS in user.groups


def require(user: User | None, permission: str, message: str, project: Project | None = None) -> None:
    """Raise NotLoggedIn for an anonymous caller and Forbidden for a user without the permission."""
    if may(user, permission, project):
        return
    if user is None:
        raise NotLoggedIn(message, LOGIN_REQUIRED)
    raise Forbidden(message)


def require_admin(user: User | None) -> None:
    """Raise unless the user administers this Jira."""
    require(user, "ADMINISTER", "You are not authorized to perform this operation. Administrator privileges required.")


def visible_issue(world: World, user: User | None, id_or_key: str) -> Issue:
    """Return the issue when it is there and the user may see it. Raises NotThere, NotLoggedIn or Forbidden."""
    issue = world.issue(id_or_key)
    if user is None:
        # Atlassian's Server answers an anonymous caller alike whether the issue is there or not.
        raise NotLoggedIn(NO_BROWSE, LOGIN_REQUIRED)
    if issue is None:
        raise NotThere("Issue Does Not Exist")
    if not may(user, "BROWSE_PROJECTS", world.site.projects[issue.project_id]):
        raise Forbidden(NO_BROWSE)
    return issue


def can_read(world: World, user: User | None, issue: Issue, visibility: Visibility | None) -> bool:
    """Return whether the user may read a comment or worklog of this visibility."""
    if visibility is None:
        return True
    if user is None:
        return False
    if visibility.type == "group":
        return visibility.value in user.groups
    return visibility.value in roles_of(world, user, world.site.projects[issue.project_id])


def roles_of(world: World, user: User, project: Project) -> set[str]:
    """Return the names of the roles that the user has in the project."""
    return {
        role.name
        for role in world.site.roles.values()
        if user.key in project.role_users.get(role.id, [])
        or any(group in user.groups for group in project.role_groups.get(role.id, []))
    }
