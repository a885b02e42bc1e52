"""The page at `/` and what it is made of, read once when the server starts: no request touches the
disk.

A name with a hash in it (`app.3f9a1c2b.js`) never changes and is kept for a year; everything else
is asked for each time, which costs a 304 when it is the same.
"""

import hashlib
import mimetypes
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MAX_BYTES = 16 * 1024 * 1024
"""Bytes that all files of a page may have together; what does not fit is not served."""

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy of the page: nothing from anywhere else, and nothing inline."""

_HASHED = re.compile(r"[.-][0-9a-f]{8,}\.")
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Files:
    """A folder in memory."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, tuple[bytes, dict[str, str]]] = {}
        size = 0
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            name = path.relative_to(folder).as_posix()
            if not path.is_file() or any(part.startswith(".") for part in Path(name).parts):
                continue
            content = path.read_bytes()
            size += len(content)
            if size > MAX_BYTES:
                break
            self._files[name] = content, _headers(name, content)

    def reply(self, request: Request) -> Response:
        """Return one file, or 304 when the browser has it."""
        name = request.path_params["path"] or "index.html"
        if name not in self._files:
            raise HTTPException(404)
        content, headers = self._files[name]
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, 200, headers)


def route(folder: Path) -> Route:
    """Return the route that serves a folder at `/`. It takes what no other route took, so it comes
    last.
    """
    files = Files(folder)

    async def page(request: Request) -> Response:
        return files.reply(request)

    return Route("/{path:path}", page, methods=["GET"], include_in_schema=False)


def _headers(name: str, content: bytes) -> dict[str, str]:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith(("json", "xml")):
        kind += "; charset=utf-8"
    headers = {
        "Content-Type": kind,
        "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "Cache-Control": (
            "public, max-age=31536000, immutable" if _HASHED.search(name) else "no-cache"
        ),
        "Content-Security-Policy": PAGE_POLICY,
    }
    if suffix == ".html":
        headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
    return headers
