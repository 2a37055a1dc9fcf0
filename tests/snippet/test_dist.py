"""The committed build: small enough, whole, and described by its manifest. Needs no node."""

import base64
import gzip
import hashlib
import json
import re
from typing import Any

import pytest

from tests.snippet.recording import DIST

BROTLI_BYTES_MAX = 2048


@pytest.fixture(scope="module")
def manifest() -> Any:
    return json.loads((DIST / "manifest.json").read_text())


def test_the_script_stays_under_two_kilobytes_on_the_wire(manifest: Any) -> None:
    assert len((DIST / "cnct.js.br").read_bytes()) == manifest["brotli"] <= BROTLI_BYTES_MAX


def test_the_manifest_describes_the_files(manifest: Any) -> None:
    script = (DIST / "cnct.js").read_bytes()
    packed = (DIST / "cnct.js.gz").read_bytes()
    assert manifest == {
        "file": "cnct.js",
        "hash": hashlib.sha256(script).hexdigest()[:12],
        "integrity": "sha384-" + base64.b64encode(hashlib.sha384(script).digest()).decode(),
        "bytes": len(script),
        "gzip": len(packed),
        "brotli": manifest["brotli"],
    }
    assert gzip.decompress(packed) == script


@pytest.mark.parametrize("file", ["cnct.js", *(f"extras/{path.name}" for path in sorted((DIST / "extras").iterdir()))])
def test_no_file_speaks_a_newer_language_than_es2017(file: str) -> None:
    """No optional chaining, nullish coalescing, object spread, optional catch binding or private names: nothing is lowered."""
    script = (DIST / file).read_text()
    code = re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`|/(?:[^/\\\n]|\\.)+/', '""', script)
    for newer in (r"\?\.(?!\d)", r"\?\?", r"[{,]\.\.\.\w+[^)\]]*\}", r"catch\{", r"#\w+\("):
        assert not re.search(newer, code), newer
    assert "eval(" not in script
    assert "innerHTML=" not in script
    assert "unload" not in script
