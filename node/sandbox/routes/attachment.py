"""Files: uploading, reading their records and bytes, removing them."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from node.sandbox import attachments
from node.sandbox.auth import Refused, has_token
from node.sandbox.errors import BadRequest, TooLarge, WrongMediaType
from node.sandbox.model import Attachment, Issue
from node.sandbox.permissions import visible_issue
from node.sandbox.routes.call import Call, answer, nothing

CHUNK = 256 * 1024


async def meta(request: web.Request) -> web.Response:
    """Answer how large a file may be."""
    call = Call(request)
    _ = call.user
    return answer({"enabled": True, "uploadLimit": call.world.site.upload_limit})


async def add(request: web.Request) -> web.Response:
    """Hang one or more files on an issue; each part must be named ``file``."""
    call = Call(request)
    if not has_token(request):
        raise Refused(web.Response(status=403, text="XSRF check failed"))
    call.issue("CREATE_ATTACHMENTS", "You do not have permission to create attachments for this issue.")
    if request.content_type != "multipart/form-data":
        raise WrongMediaType(f"Unsupported media type: {request.content_type}")
    files = await _read_files(await request.multipart(), call.world.site.upload_limit)
    if not files:
        raise BadRequest("No file was attached.")
    issue = call.issue()  # a long upload may outlive its issue
    view = call.view
    return answer([view.attachment(one) for one in attachments.add(call.world, issue, call.user, files)])


async def _read_files(reader: MultipartReader, limit: int) -> list[tuple[str, str, bytes]]:
    files = []
    async for part in reader:
        if not isinstance(part, BodyPartReader) or part.name != "file":
            continue
        content = bytearray()
        while chunk := await part.read_chunk(CHUNK):
            content += chunk
            if len(content) > limit:
                raise TooLarge(f"The file {part.filename!r} is larger than the {limit} bytes that are allowed.")
        name = (part.filename or "file").encode(errors="replace").decode().rpartition("/")[2].rpartition("\\")[2]
        files.append((name, part.headers.get("Content-Type", "application/octet-stream"), bytes(content)))
    return files


def _visible(call: Call, attachment_id: str) -> tuple[Issue, Attachment]:
    issue, attachment = attachments.find(call.world, attachment_id)
    visible_issue(call.world, call.user, issue.id)
    return issue, attachment


async def get(request: web.Request) -> web.Response:
    """Answer a file's record."""
    call = Call(request)
    _, attachment = _visible(call, call.part("attachment"))
    return answer(call.view.attachment(attachment))


async def delete(request: web.Request) -> web.Response:
    """Take a file off its issue."""
    call = Call(request)
    issue, attachment = _visible(call, call.part("attachment"))
    attachments.delete(call.world, issue, call.user, attachment)
    return nothing()


async def content(request: web.Request) -> web.Response:
    """Answer a file's bytes; the name in the path is for people and need not fit."""
    call = Call(request)
    _, attachment = _visible(call, call.part("attachment"))
    kind, _, parameters = attachment.mime_type.partition(";")
    safe_kind = kind.strip() if "/" in kind else "application/octet-stream"
    headers = {
        "Content-Type": f"{safe_kind};{parameters}" if parameters else safe_kind,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(attachment.filename, safe='')}",
        # A page of somebody's making must not run on this origin.
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=attachments.content_of(call.world, attachment), headers=headers)


ROUTES = (
    web.get("/attachment/meta", meta),
    web.get("/attachment/{attachment}", get),
    web.delete("/attachment/{attachment}", delete),
    web.post("/issue/{issue}/attachments", add),
)
"""Under ``/rest/api/2``; the bytes are elsewhere, see ``CONTENT_ROUTES``."""

CONTENT_ROUTES = (
    web.get("/secure/attachment/{attachment}/{name}", content),
    web.get("/secure/attachment/{attachment}", content),
    web.get("/secure/thumbnail/{attachment}/{name}", content),
)
