"""Registering webhooks, under the path of Jira 9 and before and under the one of Jira 10 and after.

The two differ: Jira 10 keeps a filter, a secret and the wish for no body in ``configuration``, and ignores a
``secret`` beside it without a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.events import EVENT_NAMES
from node.sandbox.jql import JqlError, compile_query
from node.sandbox.model import Webhook
from node.sandbox.permissions import require_admin
from node.sandbox.queries import WorldContext
from node.sandbox.routes.call import Call, answer, nothing

SECTION = "issue-related-events-section"
OLD_PATH = "/rest/webhooks/1.0/webhook"
NEW_PATH = "/rest/jira-webhook/1.0/webhooks"


def _truth(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _filter_of(given: Any) -> str:
    """Return the JQL of a filter, which is a query, a section's query, or JSON text of that."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise BadRequest("The filters of a webhook must be JSON or JQL.") from None
    if isinstance(given, Mapping):
        given = given.get(SECTION) or ""
    return str(given or "")


def _configuration(body: Mapping[str, Any]) -> Mapping[str, Any]:
    given = body.get("configuration") or {}
    if not isinstance(given, Mapping):
        raise BadRequest("The configuration of a webhook must be an object.")
    return given


def _read(call: Call, body: Mapping[str, Any], hook: Webhook, *, new: bool) -> None:
    """Put what the body says into the webhook; what it leaves out stays. Raises BadRequest."""
    configuration = _configuration(body) if new else {}
    name, url = str(body.get("name", hook.name)).strip(), str(body.get("url", hook.url)).strip()
    events = body.get("events", hook.events)
    if not name:
        raise BadRequest("The name of the webhook cannot be empty.")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise BadRequest("The URL of the webhook is not valid.")
    if not isinstance(events, list) or any(event not in EVENT_NAMES for event in events):
        raise BadRequest("The webhook has an unknown event.")
    filters = configuration.get("FILTERS", body.get("filters"))
    jql = hook.jql if filters is None else _filter_of(filters)
    try:
        compile_query(jql, WorldContext(call.world, call.caller))
    except JqlError as wrong:
        raise BadRequest(*wrong.messages) from None
    exclude = configuration.get("EXCLUDE_BODY", body.get("excludeBody"))
    secret = configuration.get("SECRET") if new else body.get("secret")
    active = body.get("active", body.get("enabled"))
    hook.name, hook.url, hook.events, hook.jql = name, url, list(events), jql
    hook.exclude_body = hook.exclude_body if exclude is None else _truth(exclude)
    hook.secret = hook.secret if secret is None else str(secret)
    hook.enabled = hook.enabled if active is None else _truth(active)
    hook.updated_by, hook.updated = call.user.key, call.world.now()
    call.world.site.webhooks[hook.id] = hook
    call.world.touch_site()


def _render_old(call: Call, hook: Webhook) -> dict[str, Any]:
    user = call.world.user(hook.updated_by)
    return {
        "name": hook.name,
        "url": hook.url,
        "excludeBody": hook.exclude_body,
        "filters": {SECTION: hook.jql},
        "events": hook.events,
        "enabled": hook.enabled,
        "self": f"{call.world.base_url}{OLD_PATH}/{hook.id}",
        "lastUpdatedUser": hook.updated_by,
        "lastUpdatedDisplayName": user.display_name if user is not None else hook.updated_by,
        "lastUpdated": hook.updated,
    }


def _render_new(_call: Call, hook: Webhook) -> dict[str, Any]:
    configuration = {"EXCLUDE_BODY": str(hook.exclude_body).lower()}
    if hook.jql:
        configuration["FILTERS"] = hook.jql
    return {
        "id": int(hook.id),
        "name": hook.name,
        "createdDate": hook.updated,
        "updatedDate": hook.updated,
        "events": hook.events,
        "configuration": configuration,
        "url": hook.url,
        "active": hook.enabled,
        "scopeType": "global",
        "sslVerificationRequired": True,
    }


def _is_new(request: web.Request) -> bool:
    return request.path.startswith(NEW_PATH)


def _render(call: Call, hook: Webhook) -> dict[str, Any]:
    return (_render_new if _is_new(call.request) else _render_old)(call, hook)


def _hook(call: Call) -> Webhook:
    require_admin(call.caller)
    hook = call.world.site.webhooks.get(call.part("hook"))
    if hook is None:
        raise NotThere(f"There is no webhook with the id {call.part('hook')}.")
    return hook


async def get_all(request: web.Request) -> web.Response:
    """Answer all webhooks; administrators only. Secrets are never shown."""
    call = Call(request)
    require_admin(call.caller)
    return answer([_render(call, hook) for hook in call.world.site.webhooks.values()])


async def get(request: web.Request) -> web.Response:
    """Answer one webhook; administrators only."""
    call = Call(request)
    return answer(_render(call, _hook(call)))


async def create(request: web.Request) -> web.Response:
    """Register a webhook; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    body = await call.body()
    hook = Webhook("", "", "", [])
    hook.id = str(call.world.site.next_ids.get("webhook", 1))  # Jira counts webhooks from 1
    _read(call, body, hook, new=_is_new(request))
    call.world.site.next_ids["webhook"] = int(hook.id) + 1
    return answer(_render(call, hook), 201)


async def update(request: web.Request) -> web.Response:
    """Change a webhook; administrators only."""
    call = Call(request)
    hook = _hook(call)
    _read(call, await call.body(), hook, new=_is_new(request))
    return answer(_render(call, hook))


async def delete(request: web.Request) -> web.Response:
    """Forget a webhook; administrators only."""
    call = Call(request)
    del call.world.site.webhooks[_hook(call).id]
    call.world.touch_site()
    return nothing()


ROUTES = tuple(
    route
    for path in (OLD_PATH, NEW_PATH)
    for route in (
        web.get(path, get_all),
        web.post(path, create),
        web.get(f"{path}/{{hook}}", get),
        web.put(f"{path}/{{hook}}", update),
        web.delete(f"{path}/{{hook}}", delete),
    )
)
