"""The snippet as browsers fetch it."""

import gzip
import hashlib

import pytest

from collector.snippet_files import snippet_directory
from tests.integration.house import House

SCRIPT = (snippet_directory() / "cnct.js").read_bytes()
HASH = hashlib.sha256(SCRIPT).hexdigest()[:12]


def raw(house: House, path: str, accepted: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An answer whose body nobody has unpacked."""
    sent = {"Accept-Encoding": accepted, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with house.client.stream("GET", path, headers=sent) as answer:
        return answer.status_code, dict(answer.headers), b"".join(answer.iter_raw())


def test_the_script_is_for_every_origin(house: House) -> None:
    status, headers, body = raw(house, "/cnct.js", "identity")
    assert (status, body) == (200, SCRIPT)
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers
    assert "immutable" not in headers["cache-control"]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", None), ("", None)],
)
def test_the_smallest_coding_that_the_browser_takes(house: House, accepted: str, coding: str | None) -> None:
    status, headers, body = raw(house, "/cnct.js", accepted)
    assert (status, headers.get("content-encoding"), headers["vary"]) == (200, coding, "Accept-Encoding")
    assert int(headers["content-length"]) == len(body)
    assert (body == SCRIPT) == (coding is None)
    if coding == "gzip":
        assert gzip.decompress(body) == SCRIPT


@pytest.mark.parametrize("accepted", ["br", "gzip", "identity"])
def test_a_browser_that_has_it_gets_304(house: House, accepted: str) -> None:
    etag = raw(house, "/cnct.js", accepted)[1]["etag"]
    status, headers, body = raw(house, "/cnct.js", accepted, If_None_Match=f'"other", {etag}')
    assert (status, body, headers["etag"]) == (304, b"", etag)
    assert raw(house, "/cnct.js", accepted, If_None_Match='"other"')[0] == 200


def test_the_name_with_the_hash_never_changes(house: House) -> None:
    status, headers, body = raw(house, f"/cnct.{HASH}.js", "identity")
    assert (status, body) == (200, SCRIPT)
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["access-control-allow-origin"] == "*"
    assert raw(house, "/cnct.000000000000.js", "identity")[0] == 404


def test_head_and_no_post(house: House) -> None:
    answer = house.client.head("/cnct.js", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert house.client.post("/cnct.js").status_code == 405


def test_a_released_script_stays_where_it_was(house: House) -> None:
    """A shop that pinned a release keeps it, byte for byte, over every upgrade of the collector."""
    released = sorted((snippet_directory() / "released").glob("*.js"))
    assert released
    for path in released:
        script = path.read_bytes()
        digest = hashlib.sha256(script).hexdigest()[:12]
        assert path.name == f"cnct.{digest}.js"
        status, headers, body = raw(house, f"/{path.name}", "identity")
        assert (status, body) == (200, script)
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
        assert headers["etag"] == f'"{digest}"'
        assert raw(house, f"/{path.name}", "br")[1]["content-encoding"] == "br"
        assert gzip.decompress(raw(house, f"/{path.name}", "gzip")[2]) == script
