"""The lists of this Jira's configuration: fields, types, statuses, priorities, resolutions, roles, link types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.fields import KINDS, custom_definition
from node.sandbox.permissions import require_admin
from node.sandbox.render import CATEGORIES
from node.sandbox.routes.call import Call, answer
from node.sandbox.seed import create_field


async def fields(request: web.Request) -> web.Response:
    """Answer all fields, to anybody."""
    call = Call(request)
    return answer([call.renderer.field(one) for one in call.all_fields()])


async def add_field(request: web.Request) -> web.Response:
    """Add a custom field; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    body = await call.body()
    name = str(body.get("name") or "").strip()
    if not name:
        raise BadRequest(errors={"name": "No name provided."})
    wanted = str(body.get("type") or "").rpartition(":")[2]
    kind = next((one for one, known in KINDS.items() if known.custom == wanted), None)
    if kind is None:
        raise BadRequest(errors={"type": f"No custom field type found for '{body.get('type')}'."})
    custom = create_field(call.world, name, kind, description=str(body.get("description") or ""))
    return answer(call.renderer.field(custom_definition(custom)), 201)


async def field_option(request: web.Request) -> web.Response:
    """Answer one choice of a select field."""
    call = Call(request)
    wanted = call.part("option")
    for custom in call.world.site.fields.values():
        for option in custom.options:
            for one in (option, *option.children):
                if one.id == wanted:
                    # Here, and only here, Jira writes the id of an option as a number.
                    return answer({**call.renderer.option(one), "id": int(one.id)})
    raise NotThere(f"A custom field option with id '{wanted}' does not exist")


def _listing(
    kind: str,
    held: Callable[[Call], Mapping[str, Any]],
    render: Callable[[Call, Any], Any],
    *,
    public: bool = True,
) -> tuple[Callable[[web.Request], Any], Callable[[web.Request], Any]]:
    async def listing(request: web.Request) -> web.Response:
        call = Call(request)
        _ = public or call.user
        return answer([render(call, one) for one in held(call).values()])

    async def one_of(request: web.Request) -> web.Response:
        call = Call(request)
        _ = public or call.user
        wanted = call.part("thing")
        things = held(call)
        found = things.get(wanted) or next((one for one in things.values() if one.name == wanted), None)
        if found is None:
            raise NotThere(f"The {kind} with id '{wanted}' does not exist")
        return answer(render(call, found))

    return listing, one_of


issue_types, issue_type = _listing(
    "issue type", lambda c: c.world.site.issue_types, lambda c, t: c.renderer.issue_type(t)
)
statuses, status = _listing("status", lambda c: c.world.site.statuses, lambda c, s: c.renderer.status(s))
priorities, priority = _listing(
    "priority", lambda c: c.world.site.priorities, lambda c, p: c.renderer.priority(p, whole=True)
)
resolutions, resolution = _listing(
    "resolution", lambda c: c.world.site.resolutions, lambda c, r: c.renderer.resolution(r)
)
roles, role = _listing("role", lambda c: c.world.site.roles, lambda c, r: c.renderer.role(r), public=False)
categories, category = _listing(
    "category", lambda c: c.world.site.categories, lambda c, k: c.renderer.category(k), public=False
)
_, link_type = _listing(
    "link type", lambda c: c.world.site.link_types, lambda c, t: c.renderer.link_type(t), public=False
)


async def all_link_types(request: web.Request) -> web.Response:
    """Answer the types of issue links."""
    call = Call(request)
    _ = call.user
    return answer({"issueLinkTypes": [call.renderer.link_type(one) for one in call.world.site.link_types.values()]})


async def status_categories(request: web.Request) -> web.Response:
    """Answer the categories of statuses."""
    call = Call(request)
    return answer([call.renderer.status_category(key) for key in CATEGORIES])


async def status_category(request: web.Request) -> web.Response:
    """Answer one category of statuses by id or key."""
    call = Call(request)
    for key, known in CATEGORIES.items():
        if call.part("thing") in {key, str(known["id"])}:
            return answer(call.renderer.status_category(key))
    raise NotThere("The status category does not exist")


ROUTES = (
    web.get("/field", fields),
    web.post("/field", add_field),
    web.get("/customFieldOption/{option}", field_option),
    web.get("/issuetype", issue_types),
    web.get("/issuetype/{thing}", issue_type),
    web.get("/status", statuses),
    web.get("/status/{thing}", status),
    web.get("/statuscategory", status_categories),
    web.get("/statuscategory/{thing}", status_category),
    web.get("/priority", priorities),
    web.get("/priority/{thing}", priority),
    web.get("/resolution", resolutions),
    web.get("/resolution/{thing}", resolution),
    web.get("/role", roles),
    web.get("/role/{thing}", role),
    web.get("/projectCategory", categories),
    web.get("/projectCategory/{thing}", category),
    web.get("/issueLinkType", all_link_types),
    web.get("/issueLinkType/{thing}", link_type),
)
