"""Serves the snippet: `/cnct.js` follows releases, `/cnct.<hash>.js` never changes nor goes away, and fits Subresource Integrity."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from collector.edge.answer import Header, Reply

_TYPE: Final = (b"content-type", b"text/javascript; charset=utf-8")
MOVING: Final = b"public, max-age=3600, stale-while-revalidate=86400"
FIXED: Final = b"public, max-age=31536000, immutable"


class _Script:
    """One built script in memory: plain, gzip and brotli, made when the package was built."""

    def __init__(self, path: Path) -> None:
        self.bodies = {b"": path.read_bytes()}
        for coding, ending in ((b"br", ".br"), (b"gzip", ".gz")):
            packed = path.with_name(path.name + ending)
            if packed.is_file():
                self.bodies[coding] = packed.read_bytes()
        self.hash = hashlib.sha256(self.bodies[b""]).hexdigest()[:12]


class Snippet:
    """The current script and every released one: a shop that pins a release must not lose it when the collector is upgraded."""

    def __init__(self, directory: Path) -> None:
        self._current = _Script(directory / "cnct.js")
        released = (_Script(path) for path in directory.glob("released/*.js"))
        self._scripts = {script.hash: script for script in (*released, self._current)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        asked = scope["path_params"].get("hash")
        script = self._current if asked is None else self._scripts.get(asked)
        if script is None:
            await Reply(404, b"no such release of the snippet\n", ((b"content-type", b"text/plain"),)).send(send)
            return
        headers = dict(scope["headers"])
        coding = self._coding(script, headers.get(b"accept-encoding", b""))
        etag = b'"%s%s"' % (script.hash.encode(), b"-" + coding if coding else b"")
        common: tuple[Header, ...] = (
            _TYPE,
            (b"etag", etag),
            (b"vary", b"Accept-Encoding"),
            (b"cache-control", MOVING if asked is None else FIXED),
            (b"access-control-allow-origin", b"*"),  # SRI on another origin needs it; the script is public
            (b"cross-origin-resource-policy", b"cross-origin"),
            (b"x-content-type-options", b"nosniff"),
        )
        if etag in (headers.get(b"if-none-match") or b""):
            await Reply(304, b"", common).send(send)
            return
        encoded: tuple[Header, ...] = ((b"content-encoding", coding),) if coding else ()
        body = b"" if scope["method"] == "HEAD" else script.bodies[coding]
        await Reply(200, body, common + encoded).send(send)

    @staticmethod
    def _coding(script: _Script, accepted: bytes) -> bytes:
        """The smallest coding that the browser takes."""
        offered = {
            name.strip()
            for name, _, weight in (part.partition(b";") for part in accepted.lower().split(b","))
            if weight.replace(b" ", b"") not in (b"q=0", b"q=0.0")
        }
        return next((coding for coding in (b"br", b"gzip") if coding in offered and coding in script.bodies), b"")
