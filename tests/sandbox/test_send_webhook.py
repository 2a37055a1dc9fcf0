"""`collector sandbox send-webhook` against a receiver that checks the signature over the raw bytes, as a collector must."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from collector.commands import main
from tests.processes import free_port, serving
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    CLICK,
    INSTAGRAM_DATASET,
    PAGE_DATASET,
    Json,
    instagram,
    messenger,
    whatsapp,
)

SECRET = "app-secret-123"


@dataclass
class Receiver:
    """Takes webhooks; answers 403 to a signature that is not of these very bytes."""

    url: str = ""
    answer: tuple[int, str] = (200, "EVENT_RECEIVED")
    calls: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        raw = await request.body()
        digest = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        if request.headers.get("x-hub-signature-256") != f"sha256={digest}":
            return PlainTextResponse("bad signature", 403)
        self.calls.append(raw)
        self.headers.append(dict(request.headers))
        return PlainTextResponse(self.answer[1], self.answer[0])


@pytest.fixture(scope="module")
def served_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(Starlette(routes=[Route("/webhooks/meta", receiver.take, methods=["POST"])])) as url:
        receiver.url = f"{url}/webhooks/meta"
        yield receiver


@pytest.fixture
def receiver(served_receiver: Receiver) -> Receiver:
    served_receiver.calls.clear()
    served_receiver.headers.clear()
    served_receiver.answer = (200, "EVENT_RECEIVED")
    return served_receiver


def send(*arguments: str, secret: str = SECRET) -> Result:
    runner = CliRunner(env={"COLLECTOR_META_APP_SECRET": secret})
    return runner.invoke(main, ["sandbox", "send-webhook", *arguments], prog_name="collector")


def told(*arguments: str) -> Json:
    result = send(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    answer: Json = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize(
    ("channel", "name"), [("whatsapp", "whatsapp_business_account"), ("messenger", "page"), ("instagram", "instagram")]
)
def test_a_signed_call_arrives_byte_for_byte(receiver: Receiver, channel: str, name: str) -> None:
    answer = told("--channel", channel, "--to", receiver.url, "--ad-id", "77")
    (raw,) = receiver.calls
    assert json.loads(raw)["object"] == name
    assert b'"77"' in raw
    assert (answer["status"], answer["body"], answer["bytes"]) == (200, "EVENT_RECEIVED", len(raw))
    assert answer["message_ids"][0].encode() in raw
    assert receiver.headers[0]["content-type"] == "application/json"


def test_a_person_reads_what_was_sent_and_answered(receiver: Receiver) -> None:
    result = send("--to", receiver.url, "--count", "3")
    assert result.exit_code == 0
    for words in ("3 updates", receiver.url, "wamid.", "200 after", "EVENT_RECEIVED"):
        assert words in result.stdout, words


def test_each_call_has_a_message_of_its_own_unless_one_is_named(receiver: Receiver) -> None:
    first, second = (told("--to", receiver.url)["message_ids"] for _ in range(2))
    assert first != second
    named = told("--to", receiver.url, "--message-id", "wamid.SAME", "--count", "3")["message_ids"]
    assert named == ["wamid.SAME", "wamid.SAME.2", "wamid.SAME.3"]


def test_sender_and_asset_are_as_asked_for(receiver: Receiver) -> None:
    told("--channel", "messenger", "--to", receiver.url, "--sender", "PSID-9", "--asset-id", "PAGE-9")
    (entry,) = json.loads(receiver.calls[0])["entry"]
    assert (entry["id"], entry["messaging"][0]["sender"]["id"]) == ("PAGE-9", "PSID-9")


def test_a_click_can_be_made_known_to_a_sandbox_so_that_events_about_it_pass(
    receiver: Receiver, sandbox: Sandbox
) -> None:
    user = whatsapp()["user_data"] | {"ctwa_clid": "FRESH"}
    assert sandbox.graph(whatsapp(user_data=user)).status_code == 400
    answer = told("--to", receiver.url, "--ctwa-clid", "FRESH", "--ad-id", "77", "--sandbox-url", sandbox.url)
    assert answer["registered"] == ["FRESH"]
    assert sandbox.graph(whatsapp(user_data=user)).status_code == 200
    assert CLICK in sandbox.client.get("/sandbox/state").json()["clicks"], "the others stay"
    assert b"FRESH" in receiver.calls[0]


def test_people_can_be_made_known_too(receiver: Receiver, sandbox: Sandbox) -> None:
    common = ("--to", receiver.url, "--sandbox-url", f"{sandbox.url}/")
    told("--channel", "messenger", "--sender", "P9", *common)
    told("--channel", "instagram", "--sender", "I9", *common)
    user = messenger()["user_data"] | {"page_scoped_user_id": "P9"}
    assert sandbox.graph(messenger(user_data=user), dataset=PAGE_DATASET).status_code == 200
    user = instagram()["user_data"] | {"ig_sid": "I9"}
    assert sandbox.graph(instagram(user_data=user), dataset=INSTAGRAM_DATASET).status_code == 200


def test_of_several_secrets_the_last_signs(receiver: Receiver) -> None:
    assert send("--to", receiver.url, secret=f"old-one, {SECRET}").exit_code == 0
    assert send("--to", receiver.url, secret=f"{SECRET},newer").exit_code == 1
    assert len(receiver.calls) == 1


def test_an_answer_that_meta_would_not_like_is_a_failure(receiver: Receiver) -> None:
    receiver.answer = (503, "later")
    result = send("--to", receiver.url, "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (1, 503)


def test_a_redirect_is_no_answer_to_follow(receiver: Receiver) -> None:
    receiver.answer = (302, "")
    assert send("--to", receiver.url).exit_code == 1
    assert len(receiver.calls) == 1


def test_without_a_secret_nothing_is_sent(receiver: Receiver) -> None:
    result = send("--to", receiver.url, secret=" ")
    assert (result.exit_code, "COLLECTOR_META_APP_SECRET" in result.stderr) == (2, True)
    assert receiver.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ref", "x"),
        ("--channel", "messenger", "--ctwa-clid", "x"),
        ("--placement", "postback"),
        ("--channel", "messenger", "--placement", "referral"),
        ("--status-only", "--ctwa-clid", "x"),
        ("--count", "1001"),
        ("--channel", "website"),
    ],
)
def test_what_meta_never_sends_is_refused_and_not_sent(receiver: Receiver, arguments: tuple[str, ...]) -> None:
    result = send("--to", receiver.url, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert receiver.calls == []


@pytest.mark.parametrize("url", ["nowhere", "ftp://x/", "http://[", "http://127.0.0.1:{closed}/"])
def test_nobody_there_is_said_plainly(url: str) -> None:
    result = send("--to", url.format(closed=free_port()))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: no answer from")


def test_a_sandbox_that_is_none_stops_before_the_call(receiver: Receiver) -> None:
    origin = receiver.url.removesuffix("/webhooks/meta")
    result = send("--to", receiver.url, "--ctwa-clid", "X", "--sandbox-url", origin)
    assert (result.exit_code, "is no sandbox" in result.stderr) == (1, True)
    assert receiver.calls == []


def test_the_secret_is_never_an_argument() -> None:
    assert "--secret" not in send("--help").stdout
