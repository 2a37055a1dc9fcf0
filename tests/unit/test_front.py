"""What every request comes through."""

import pytest
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from collector.edge.front import Front


class Marking:
    """An endpoint that writes into what its path named, as an endpoint may."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.found.append(dict(scope["path_params"]))
        scope["path_params"]["mark"] = "mine"


async def _nothing() -> Message:
    return {"type": "http.request"}


async def _nowhere(_message: Message) -> None:
    pass


@pytest.mark.anyio
async def test_a_remembered_address_gives_each_request_a_copy_of_what_it_names() -> None:
    endpoint = Marking()
    front = Front([Route("/shops/{shop}", endpoint)])
    for _ in range(2):
        scope = {"type": "http", "method": "GET", "path": "/shops/tea", "headers": []}
        await front(scope, _nothing, _nowhere)
    assert endpoint.found == [{"shop": "tea"}] * 2
