"""What Graph tells about tokens, assets and datasets: one thin call, and pure reading of its answers.

Sources: Meta's reference for `debug_token`, `{asset}/dataset` and `{asset}/subscribed_apps`; where field and reference differ, both shapes are read.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import urlencode

import msgspec

from collector.destinations.answer import Answer, Wire, integer, words
from collector.destinations.outbound import Outbound, require_tls

VERSION_WARNING: Final = "x-ad-api-version-warning"
LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, the last that a calendar here knows."""


ID_DIGITS_MAX: Final = 32


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a question got no answer: Graph's error, with its own words; or what came instead of one, with its HTTP `status`."""

    code: int | None = None
    subcode: int | None = None
    words: str | None = None
    lost: bool = False
    status: int | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token may do. `expires_at` is UTC milliseconds, None: never.

    `scopes` are the names that it holds; each with the assets that it holds for, None: for all that the token is assigned to.
    """

    valid: bool
    app_id: str | None = None
    app: str | None = None
    kind: str | None = None
    expires_at: int | None = None
    scopes: Mapping[str, tuple[str, ...] | None] = {}
    problem: Problem | None = None


class App(msgspec.Struct, frozen=True):
    """An app that gets an asset's webhooks; `fields` are those it gets, None where Graph does not tell."""

    id: str
    name: str
    fields: tuple[str, ...] | None


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer tells besides its body: when it was given (UTC milliseconds, whole seconds), which version gave it, and a warning."""

    at: int | None
    version: str | None
    warning: str | None


class Graph:
    """Asks `{graph_url}/{version}/{path}`. Nothing is cached, nothing is tried again."""

    def __init__(self, outbound: Outbound, graph_url: str, version: str) -> None:
        self._outbound = outbound
        self._root = f"{require_tls(graph_url)}/{version}"

    async def ask(self, token: str, path: str, method: Literal["GET", "POST"] = "GET", **query: str) -> Answer:
        """One request by the bearer of this token; without one where it is empty. `path` is made of ids and names alone."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        url = f"{self._root}/{path}" + (f"?{urlencode(query)}" if query else "")
        secrets = (token,) if token else ()
        return await self._outbound.send(Wire(url=url, headers=headers, body=b"", secrets=secrets, method=method))

    async def debug(self, token: str) -> Answer:
        """What a token may do, asked by itself. Meta reads the token to look at from the query alone."""
        return await self.ask(token, "debug_token", input_token=token)


def read_problem(answer: Answer) -> Problem | None:
    """Why there is no answer; None where there is one. An error object is believed whatever the status."""
    if answer.lost is not None:
        return Problem(words=words(answer.error), lost=True)
    body = answer.json()
    if body is None:
        return Problem(words=f"HTTP {answer.status}, and no JSON object", status=answer.status)
    error = body.get("error")
    if isinstance(error, dict):
        return _problem(error)
    return None if answer.status == 200 else Problem(words=f"HTTP {answer.status}, and no error", status=answer.status)


def read_token(answer: Answer) -> Token | Problem:
    """The answer of `debug_token`. A token that is over is described (`problem`), or its own question is refused already."""
    if problem := read_problem(answer):
        return problem
    data = _object(answer).get("data")
    if not isinstance(data, dict) or not isinstance(data.get("is_valid"), bool):
        return Problem(words="no token is described", status=answer.status)
    error = data.get("error")
    expires_at = integer(data.get("expires_at"))
    return Token(
        valid=data["is_valid"],
        app_id=words(data.get("app_id")),
        app=words(data.get("application")),
        kind=words(data.get("type")),
        expires_at=min(max(expires_at, 1), LAST_SECOND) * 1000 if expires_at else None,
        scopes=_scopes(data),
        problem=_problem(error) if isinstance(error, dict) else None,
    )


def read_datasets(answer: Answer) -> tuple[str, ...] | Problem:
    """The datasets of an asset, none where it has none: `{"id"}`, `{"dataset_id"}` or `{"data": [{"id"}]}`."""
    if problem := read_problem(answer):
        return problem
    body = _object(answer)
    listed = body.get("data")
    found = [_id(each) for each in listed] if isinstance(listed, list) else [_id(body)]
    if None in found:
        return Problem(words="no dataset is named", status=answer.status)
    return tuple(each for each in found if each is not None)


def read_apps(answer: Answer) -> tuple[App, ...] | Problem:
    """The apps that get an asset's webhooks. Those of a WhatsApp account stand one level deeper."""
    if problem := read_problem(answer):
        return problem
    listed = _object(answer).get("data")
    if not isinstance(listed, list):
        return Problem(words="no apps are listed", status=answer.status)
    return tuple(_app(each) for each in listed if isinstance(each, dict))


def read_name(answer: Answer) -> str | Problem:
    """What a dataset or an asset is called; its id where it has no name."""
    if problem := read_problem(answer):
        return problem
    body = _object(answer)
    return words(body.get("name")) or _id(body) or Problem(words="nothing is named", status=answer.status)


def read_served(answer: Answer) -> Served:
    """When and by which version a request was answered."""
    headers = answer.headers
    try:
        at: int | None = int(parsedate_to_datetime(headers.get("date", "")).timestamp() * 1000)
    except (ValueError, TypeError, IndexError, OverflowError):
        at = None
    return Served(
        at=at, version=words(headers.get("facebook-api-version")), warning=words(headers.get(VERSION_WARNING))
    )


def _object(answer: Answer) -> dict[str, Any]:
    return answer.json() or {}


def _problem(error: Mapping[str, Any]) -> Problem:
    """An error object; inside a token's description its subcode is called `subcode`."""
    subcode = error.get("error_subcode", error.get("subcode"))
    return Problem(code=integer(error.get("code")), subcode=integer(subcode), words=words(error.get("message")))


def _scopes(data: Mapping[str, Any]) -> dict[str, tuple[str, ...] | None]:
    listed, granular = data.get("scopes"), data.get("granular_scopes")
    found: dict[str, tuple[str, ...] | None] = {}
    for name in listed if isinstance(listed, list) else []:
        found[str(name)] = None
    for each in granular if isinstance(granular, list) else []:
        if isinstance(each, dict) and isinstance(each.get("target_ids"), list):
            found[str(each.get("scope"))] = tuple(map(str, each["target_ids"]))
    return found


def _id(value: object) -> str | None:
    """An id of digits, under either of its names; Graph writes them as text, some clients as numbers."""
    if not isinstance(value, dict):
        return None
    text = str(value.get("id", value.get("dataset_id")))
    return text if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX else None


def _app(listed: Mapping[str, Any]) -> App:
    inner = listed.get("whatsapp_business_api_data", listed)
    app = inner if isinstance(inner, dict) else {}
    fields = listed.get("subscribed_fields")
    name, app_id = words(app.get("name")), _id(app) or ""
    return App(app_id, name or app_id, tuple(map(str, fields)) if isinstance(fields, list) else None)
