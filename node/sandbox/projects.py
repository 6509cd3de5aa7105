"""Projects and what belongs to them: deleting a project, components and versions."""

from __future__ import annotations

from node.sandbox import links
from node.sandbox.events import Event
from node.sandbox.model import Component, Project, User, Version
from node.sandbox.store import World


def delete(world: World, project: Project, actor: User) -> None:
    """Delete a project with its issues, components and versions; issues are not told one by one, as in Jira."""
    for issue in world.issues_of(project):
        for link_id in list(issue.link_ids):
            links.delete(world, world.site.links[link_id], actor)
    for issue in world.issues_of(project):
        world.remove_issue(issue)
    for held in (world.site.components, world.site.versions):
        for thing in [one for one in held.values() if one.project_id == project.id]:
            del held[thing.id]
    del world.site.projects[project.id]
    world.reindex_site()
    world.tell(Event("project_deleted", world.now(), actor, project=project, whole_issue=False))


def add_component(world: World, project: Project, name: str, description: str = "") -> Component:
    """Add a component to a project."""
    component = Component(world.new_id("component"), project.id, name, description)
    world.site.components[component.id] = component
    world.touch_site()
    return component


def add_version(world: World, project: Project, name: str, description: str = "") -> Version:
    """Add a version to a project."""
    version = Version(world.new_id("version"), project.id, name, description)
    world.site.versions[version.id] = version
    world.touch_site()
    return version


def replace_component(world: World, component: Component, other: Component | None) -> None:
    """Remove a component; issues that had it get the other one, or none."""
    for issue in world.issues.values():
        if component.id in issue.component_ids:
            kept = [one for one in issue.component_ids if one != component.id]
            if other is not None and other.id not in kept:
                kept.append(other.id)
            issue.component_ids = kept
            world.touch_issue(issue)
    del world.site.components[component.id]
    world.touch_site()


def replace_version(world: World, version: Version, fixed: Version | None, affected: Version | None) -> None:
    """Remove a version; issues fixed or affected by it get the other ones, or none."""
    for issue in world.issues.values():
        if version.id in issue.fix_version_ids or version.id in issue.version_ids:
            issue.fix_version_ids = _swap(issue.fix_version_ids, version, fixed)
            issue.version_ids = _swap(issue.version_ids, version, affected)
            world.touch_issue(issue)
    del world.site.versions[version.id]
    world.touch_site()


def _swap(ids: list[str], gone: Version, other: Version | None) -> list[str]:
    if gone.id not in ids:
        return ids
    swapped = [other.id if other is not None and one == gone.id else one for one in ids]
    return list(dict.fromkeys(one for one in swapped if one != gone.id))
