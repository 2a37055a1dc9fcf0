"""What Meta may post, however large, broken or strange, on both databases: what is kept of it, and that it is not asked for again."""

import base64
import json

import pytest

from collector.identity import mobile_key
from tests.integration.conversing import purchase, result
from tests.integration.house import House, eventually
from tests.integration.messages import deliver, message, number
from tests.integration.shop import Shop


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", None),
        (b'{"object":"page","entry":[{"id":"1","messaging":[{"read":{"watermark":1}}]}]}', None),
        (b'{"referral":', "unreadable"),
        (
            b'{"object":"page","entry":[{"id":"77777","messaging":[{"sender":{"id":"1"},"referral":{"ad_id":"2"}}]}]}',
            "unknown-asset",
        ),
        (b'{"object":"whatsapp_business_account","entry":[],"x":"' + b"y" * 3_000_000 + b'"}', None),
    ],
    ids=["empty", "read mark", "broken", "unknown account", "3 MB"],
)
def test_a_signed_body_that_tells_nothing_of_ours_is_not_asked_for_again(
    house: House, body: bytes, reason: str | None
) -> None:
    answer = deliver(house, body)
    assert (answer.status_code, answer.json()) == (200, {"conversations": 0})
    assert answer.headers.get("X-Collector-Reason") == reason


def test_a_body_of_three_megabytes_is_read_to_its_last_message(house: House, shop: Shop) -> None:
    sender = number()
    body = message(shop, number())
    (told,) = body["entry"][0]["changes"][0]["value"]["messages"]
    long = [told | {"id": f"wamid.{index}", "text": {"body": "é" * 520}} for index in range(900)]
    body["entry"][0]["changes"][0]["value"]["messages"] = [*long, told | {"from": sender}]
    raw = json.dumps(body).encode()
    assert 3_000_000 < len(raw) < 4_000_000
    assert deliver(house, raw).json() == {"conversations": 901}
    found = result(shop, **purchase("whatsapp", "W-900", user_data={"mobile_number": f"+{sender}"}))
    assert found["state"] == "pending"


def test_a_body_beyond_the_limit_is_refused(house: House) -> None:
    assert deliver(house, b" " * (4 * 1024 * 1024 + 1)).status_code == 413


def test_a_batch_of_a_thousand_is_kept_whole(house: House, shop: Shop) -> None:
    body = message(shop, number())
    (told,) = body["entry"][0]["changes"][0]["value"]["messages"]
    senders = [f"5511{9_000_00000 + index}" for index in range(1000)]
    body["entry"][0]["changes"][0]["value"]["messages"] = [
        told | {"from": sender, "id": f"wamid.{sender}"} for sender in senders
    ]
    assert deliver(house, body).json() == {"conversations": 1000}
    found = result(shop, **purchase("whatsapp", "W-1000", user_data={"mobile_number": f"+{senders[-1]}"}))
    assert found["state"] == "pending"


def test_the_text_of_a_message_is_kept_nowhere(house: House, shop: Shop) -> None:
    sender = number()
    deliver(house, message(shop, sender))
    house.secrets |= {sender, "a secret wish"}  # and never printed
    facts = eventually(lambda: house.client.get("/readyz").json() or None, "the facts")
    assert "a secret wish" not in json.dumps(facts)


def test_a_sender_lies_plain_nowhere_in_the_database(sqlite_house: House) -> None:
    """WhatsApp's id of a message holds his number in base64."""
    shop, sender = sqlite_house.shop(), number()
    coded = base64.b64encode(b"\x1c\x18\x0d" + sender.encode() + b"\x15\x02\x00").decode()
    assert deliver(sqlite_house, message(shop, sender, f"wamid.{coded}")).json() == {"conversations": 1}
    kept = b"".join(path.read_bytes() for path in sqlite_house.data_dir.glob("collector.db*"))
    assert mobile_key(sender).encode() in kept
    for plain in (sender, coded, "a secret wish"):
        assert plain.encode() not in kept


def test_a_message_that_one_body_tells_twice_is_kept_once(house: House, shop: Shop) -> None:
    """Once with the click id, once without."""
    body, sender = message(shop, number()), number()
    (told,) = body["entry"][0]["changes"][0]["value"]["messages"]
    bare = {"source_type": "ad", "source_id": "1202100000001"}
    body["entry"][0]["changes"][0]["value"]["messages"] = [
        told | {"from": sender},
        told | {"from": sender, "referral": bare},
    ]
    assert deliver(house, body).status_code == 200
    result(shop, **purchase("whatsapp", "W-5", user_data={"mobile_number": f"+{sender}"}))
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_what_came_is_counted(house: House, shop: Shop) -> None:
    def counted() -> dict[str, int]:
        found: dict[str, int] = house.client.get("/readyz").json()["webhooks"]
        return found

    before = counted()
    foreign = message(shop, number())
    foreign["entry"][0]["id"] = "404"
    deliver(house, message(shop, number()))
    deliver(house, foreign)
    deliver(house, b'{"referral":')
    deliver(house, b"x" * 200_000, "another secret")
    deliver(house, b" " * (4 * 1024 * 1024 + 1))
    after = counted()
    assert {name: after[name] - before[name] for name in after} == {
        "taken": 3,
        "unsigned": 1,
        "too_large": 1,
        "unreadable": 1,
        "unavailable": 0,
        "conversations": 1,
        "unknown_assets": 1,
    }
