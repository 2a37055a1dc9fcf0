"""Whose webhooks are believed: signatures made by another tool, over bodies as Meta writes them."""

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest

from collector.edge.webhooks import LONG_BYTES, Webhooks

pytestmark = pytest.mark.anyio

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
SIGNED = "20e391a99a86fc5adf7e3a453236d20c906360291977896cf2f671e03bb95703"
ESCAPED = rb'{"object":"page","entry":[],"note":"caf\u00e9 \u307f\ud83d\ude00 \/"}'
ESCAPED_SIGNED = "45f242b006fb89d6b3d0f78dc750e986979dbc43e5fc3460c51391d18691ee3b"


def taking(*secrets: str, clock: Callable[[], int] = lambda: 0) -> Webhooks:
    """Webhooks that may store nothing."""
    nobody: Any = cast("Any", None)
    return Webhooks(nobody, nobody, nobody, secrets, None, 4 * 1024 * 1024, clock)


async def status(body: bytes, shown: str, *secrets: str) -> int:
    """What a call is answered with."""
    return await answered(taking(*secrets), body, shown)


async def answered(webhooks: Webhooks, body: bytes, shown: str) -> int:
    answers: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = [(b"x-hub-signature-256", shown.encode())]
    await webhooks({"type": "http", "method": "POST", "headers": headers}, receive, send)
    return int(answers[0]["status"])


@pytest.mark.parametrize(
    "secrets", [("app-secret-123",), ("an older one", "app-secret-123"), ("app-secret-123", "newer")]
)
async def test_the_signature_of_any_of_the_secrets_is_believed(secrets: tuple[str, ...]) -> None:
    assert await status(BODY, f"sha256={SIGNED}", *secrets) == 200


async def test_what_meta_escapes_is_signed_escaped() -> None:
    assert await status(ESCAPED, f"sha256={ESCAPED_SIGNED}", "another-app-secret") == 200
    unescaped = ESCAPED.decode("raw-unicode-escape").encode("utf-16", "surrogatepass").decode("utf-16").encode()
    assert await status(unescaped, f"sha256={ESCAPED_SIGNED}", "another-app-secret") == 403


@pytest.mark.parametrize(
    ("body", "shown", "secret"),
    [
        (BODY, f"sha256={SIGNED}", "app-secret-124"),
        (BODY + b"\n", f"sha256={SIGNED}", "app-secret-123"),
        (BODY[:-1], f"sha256={SIGNED}", "app-secret-123"),
        (BODY, f"sha256={SIGNED[:-2]}", "app-secret-123"),
        (BODY, f"sha256={SIGNED[:-1]}4", "app-secret-123"),
        (BODY, SIGNED, "app-secret-123"),
        (BODY, "sha256=c890bd03bab9871c06e3fad76f08b0950efd3cd7", "app-secret-123"),
        (BODY, "sha1=c890bd03bab9871c06e3fad76f08b0950efd3cd7", "app-secret-123"),
        (b" " * (LONG_BYTES + 1), f"sha256={SIGNED}", "app-secret-123"),
        (BODY, "sha256=" + "\xff" * 32, "app-secret-123"),
    ],
    ids="secret longer shorter cut other bare sha1-as-256 sha1 long bytes".split(),
)
async def test_no_other_signature_is(body: bytes, shown: str, secret: str) -> None:
    assert await status(body, shown, secret) == 403


async def test_a_flood_of_forged_calls_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0]
    webhooks = taking("app-secret-124", clock=lambda: now[0])
    with caplog.at_level(logging.WARNING, logger="collector"):
        for at in (0, 0, 59_999, 60_000, 60_001):
            now[0] = at
            assert await answered(webhooks, BODY, f"sha256={SIGNED}") == 403
    assert len(caplog.records) == 2
    assert webhooks.facts["unsigned"] == 5
