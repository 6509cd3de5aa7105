"""Reads what a browser posts and answers with pages: forms, files, headers. Knows nothing of issues."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from aiohttp import BodyPartReader, web

from node.sandbox.errors import BadRequest, Forbidden, TooLarge

_MOST_PARTS = 100
_LONGEST_TOKEN = 200
_CHUNK = 64 * 1024
EXPIRED = "This form is no longer valid. Go back, load the page again and repeat."

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Nothing but this site's own style, script and pictures is loaded, and nobody may frame a page."""


@dataclass(slots=True)
class Posted:
    """A form as it came: its token, its texts by name, and its files (name, media type, bytes)."""

    token: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, str, bytes]] = field(default_factory=list)


def check_origin(request: web.Request) -> None:
    """Raise Forbidden when a browser says that another site posts this form."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise Forbidden(EXPIRED)


async def read_form(request: web.Request) -> Posted:
    """Read a form without files. The application bounds its size."""
    given = await request.post()
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    return Posted(texts.pop("token", ""), texts)


async def read_upload(request: web.Request, limit: int, token: str) -> Posted:
    """Read a form with files of at most ``limit`` bytes each; the token comes first and is compared before a file.

    Raises BadRequest, Forbidden or TooLarge.
    """
    if request.content_type != "multipart/form-data":
        raise BadRequest("Choose a file to attach.")
    posted = Posted()
    reader = await request.multipart()
    for _ in range(_MOST_PARTS):
        part = await reader.next()
        if part is None:
            return posted
        if not isinstance(part, BodyPartReader):
            raise BadRequest("Choose a file to attach.")
        if part.name == "token":
            posted.token = (await _bounded(part, _LONGEST_TOKEN, "")).decode(errors="replace")
        elif part.filename:
            if posted.token != token:
                raise Forbidden(EXPIRED)
            content = await _bounded(part, limit, part.filename)
            name = part.filename.replace("\\", "/").rpartition("/")[2]
            posted.files.append((name, part.headers.get("Content-Type", "application/octet-stream"), content))
    raise BadRequest(f"At most {_MOST_PARTS} files at once.")


async def _bounded(part: BodyPartReader, limit: int, name: str) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"The file {name} is larger than {limit:,} bytes, which is what this Jira takes.")
    return bytes(content)


def page(text: str, *, status: int = 200) -> web.Response:
    """Return a page."""
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def see(address: str) -> web.Response:
    """Send the browser to another page, after a form was done."""
    return web.Response(status=303, headers={**HEADERS, "Location": address})


def download(content: bytes, name: str, mime_type: str, *, shown: bool) -> web.Response:
    """Return a file. Only a picture may be ``shown``; whatever else a stranger attached is saved, never opened."""
    kind = "inline" if shown else "attachment"
    return web.Response(
        body=content,
        headers={
            **HEADERS,
            "Content-Type": mime_type if shown else "application/octet-stream",
            "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


def local(address: str) -> str:
    """Return an address when it is one of this site, else the first page's."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"
