"""Makes a webhook call to a collector, and tells a sandbox what the call is about."""

import time
from typing import Any

import httpx2
import msgspec

TIMEOUT_SECONDS = 20.0
"""How long Meta waits for an answer."""


class Answer(msgspec.Struct, frozen=True):
    """What the receiver said, and after how long."""

    status: int
    body: str
    duration_ms: int


class NoAnswer(Exception):
    """Nobody answered at an address; the message says where and why."""


def call(url: str, body: bytes, signature: str) -> Answer:
    """Posts signed bytes as Meta does. Raises NoAnswer."""
    headers = {"content-type": "application/json", "user-agent": "facebookexternalua", "x-hub-signature-256": signature}
    began = time.monotonic()
    answer = _send("POST", url, content=body, headers=headers)
    return Answer(answer.status_code, answer.text, round((time.monotonic() - began) * 1000))


def register(sandbox_url: str, patch: dict[str, Any]) -> list[str]:
    """Merges a patch into the state of a running sandbox; the ids it then knows. Raises NoAnswer, also where it refuses."""
    if not patch:
        return []
    url = f"{sandbox_url.rstrip('/')}/sandbox/state"
    answer = _send("PUT", url, json=patch)
    if answer.status_code != httpx2.codes.OK:
        raise NoAnswer(f"{url} is no sandbox that takes this: {answer.status_code} {answer.text[:200]}")
    return [entry for part in patch.values() for entry in part]


def _send(method: str, url: str, **request: Any) -> httpx2.Response:
    try:
        with httpx2.Client(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            return client.request(method, url, **request)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NoAnswer(f"no answer from {url}: {str(error) or type(error).__name__}") from None
