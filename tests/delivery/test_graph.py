"""What Graph tells about tokens, assets and datasets: every shape of its answers, and the requests that ask."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from collector.destinations.answer import Answer
from collector.destinations.graph import (
    LAST_SECOND,
    App,
    Graph,
    Problem,
    Token,
    read_apps,
    read_datasets,
    read_name,
    read_problem,
    read_served,
    read_token,
)
from collector.destinations.outbound import Outbound
from collector.diagnosis.ground import day
from tests.processes import serving

TOKEN = "EAAhunter2hunter2hunter2"
READERS: Any = [read_token, read_datasets, read_apps, read_name]


def told(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status=status, headers=headers, body=msgspec.json.encode(body))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(lost="unavailable", error="ConnectError"), Problem(words="ConnectError", lost=True)),
        (Answer(status=502, body=b"<html>"), Problem(words="HTTP 502, and no JSON object", status=502)),
        (Answer(status=200, body=b"[]"), Problem(words="HTTP 200, and no JSON object", status=200)),
        (told({}, 500), Problem(words="HTTP 500, and no error", status=500)),
        (
            told({"error": {"code": 190, "error_subcode": 463, "message": "over"}}, 401),
            Problem(code=190, subcode=463, words="over"),
        ),
        (told({"error": {"code": "100", "error_subcode": None}}), Problem(code=100)),
        (told({"error": {}}, 400), Problem()),
    ],
)
def test_every_reader_tells_why_there_is_no_answer(read: Any, answer: Answer, problem: Problem) -> None:
    assert read(answer) == read_problem(answer) == problem


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"id": "200000000000001"}, ("200000000000001",)),
        ({"dataset_id": "200000000000001"}, ("200000000000001",)),
        ({"id": 200000000000001}, ("200000000000001",)),
        ({"data": [{"id": "200000000000001"}]}, ("200000000000001",)),
        ({"data": [{"id": "1"}, {"dataset_id": "2"}], "paging": {}}, ("1", "2")),
        ({"data": []}, ()),
    ],
)
def test_a_dataset_is_read_in_every_shape(body: Any, ids: tuple[str, ...]) -> None:
    assert read_datasets(told(body)) == ids


@pytest.mark.parametrize(
    "body", [{}, {"data": {}}, {"data": [7]}, {"data": [{"id": "../me"}]}, {"id": None}, {"id": "٢"}, {"id": "9" * 33}]
)
def test_what_names_no_dataset_is_a_problem(body: Any) -> None:
    assert read_datasets(told(body)) == Problem(words="no dataset is named", status=200)


def test_a_token_is_described() -> None:
    data = {
        "app_id": "500",
        "application": "Our app",
        "type": "SYSTEM_USER",
        "is_valid": True,
        "expires_at": 1_800_000_000,
        "scopes": ["page_events", "ads_management"],
        "granular_scopes": [{"scope": "page_events", "target_ids": ["1", 2]}, {"scope": "ads_management"}, 7],
    }
    assert read_token(told({"data": data})) == Token(
        valid=True,
        app_id="500",
        app="Our app",
        kind="SYSTEM_USER",
        expires_at=1_800_000_000_000,
        scopes={"page_events": ("1", "2"), "ads_management": None},
    )


def test_a_token_that_never_expires_has_no_expiry_and_one_that_is_over_says_so() -> None:
    error = {"code": 190, "subcode": 463, "message": "over"}
    assert read_token(told({"data": {"is_valid": True, "expires_at": 0}})) == Token(valid=True)
    over = read_token(told({"data": {"is_valid": False, "expires_at": 1, "error": error, "scopes": None}}))
    assert over == Token(valid=False, expires_at=1000, problem=Problem(code=190, subcode=463, words="over"))


@pytest.mark.parametrize(("second", "kept"), [(10**17, LAST_SECOND), (-(10**17), 1)])
def test_a_token_expires_on_a_day_that_a_calendar_knows(second: int, kept: int) -> None:
    found = read_token(told({"data": {"is_valid": True, "expires_at": second}}))
    assert isinstance(found, Token)
    assert found.expires_at == kept * 1000
    assert len(day(found.expires_at)) == 10


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": {}}, {"data": {"is_valid": 1}}])
def test_what_describes_no_token_is_a_problem(body: Any) -> None:
    assert read_token(told(body)) == Problem(words="no token is described", status=200)


def test_apps_are_read_as_whatsapp_and_pages_list_them() -> None:
    listed = [
        {"whatsapp_business_api_data": {"id": "500", "name": "Our app", "link": "…"}},
        {"id": "500", "name": "Our app", "subscribed_fields": ["messages"]},
        {"id": 7},
        {"whatsapp_business_api_data": "odd"},
        "odd",
    ]
    assert read_apps(told({"data": listed})) == (
        App("500", "Our app", None),
        App("500", "Our app", ("messages",)),
        App("7", "7", None),
        App("", "", None),
    )
    assert read_apps(told({"data": []})) == ()
    assert read_apps(told({"data": {}})) == Problem(words="no apps are listed", status=200)


def test_a_name_is_read_and_an_id_stands_in_for_it() -> None:
    assert read_name(told({"id": "1", "name": "Coffee"})) == "Coffee"
    assert read_name(told({"id": "1"})) == "1"
    assert read_name(told({})) == Problem(words="nothing is named", status=200)


def test_an_answer_tells_when_and_by_which_version() -> None:
    headers = {
        "date": "Fri, 15 Jan 2027 08:00:00 GMT",
        "facebook-api-version": "v25.0",
        "x-ad-api-version-warning": "soon",
    }
    served = read_served(Answer(status=400, headers=headers))
    assert (served.at, served.version, served.warning) == (1_800_000_000_000, "v25.0", "soon")
    bare = read_served(Answer(status=400, headers={"date": "yesterday"}))
    assert (bare.at, bare.version, bare.warning) == (None, None, None)
    assert read_served(Answer()).at is None


@pytest.fixture
async def mirror() -> AsyncIterator[str]:
    """A server that answers with what it was asked."""

    async def show(request: Request) -> JSONResponse:
        body = (await request.body()).decode()
        return JSONResponse(
            {"method": request.method, "url": str(request.url), "headers": dict(request.headers), "body": body}
        )

    with serving(Starlette(routes=[Route("/{rest:path}", show, methods=["GET", "POST"])])) as url:
        yield url


async def test_a_question_carries_its_token_in_a_header_and_nothing_else(mirror: str) -> None:
    async with Outbound() as outbound:
        graph = Graph(outbound, mirror, "v25.0")
        asked = (await graph.ask(TOKEN, "100/dataset", "POST")).json()
        bare = (await graph.ask("", "me", fields="id,name")).json()
    assert asked is not None
    assert (asked["method"], asked["url"], asked["body"]) == ("POST", f"{mirror}/v25.0/100/dataset", "")
    assert asked["headers"]["authorization"] == "Bearer [redacted]", "sent, and cut out of what comes back"
    assert bare is not None
    assert (bare["method"], bare["url"]) == ("GET", f"{mirror}/v25.0/me?fields=id%2Cname")
    assert "authorization" not in bare["headers"]


async def test_a_token_that_is_looked_at_shows_nowhere(mirror: str) -> None:
    async with Outbound() as outbound:
        answer = await Graph(outbound, mirror, "v25.0").debug(TOKEN)
    assert b"hunter2" not in answer.body
    assert f"{mirror}/v25.0/debug_token?input_token=[redacted]".encode() in answer.body
