"""What became of every call and event: lists, pages of them, and the life of one; each shop sees its own."""

import httpx2
import pytest

from collector.attribution import Click
from tests.integration.house import House, new_click
from tests.integration.shop import Shop


def ask(shop: Shop, name: str, key: str | None = None, **params: str) -> httpx2.Response:
    headers = {"X-API-KEY": shop.key if key is None else key}
    return shop.client.get(f"/v1/businesses/{shop.business_id}/{name}", headers=headers, params=params)


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A shop with a delivered, a rejected and an unmatched order, and a view."""
    shop.post(shop.order("ORD-1"))
    shop.post(shop.order("ORD-2", click=new_click()))
    shop.post(shop.pointed("ORD-3", checkout_id="CHK-1"))
    shop.post(shop.order("ORD-1") | {"event_name": "ViewContent"})
    return shop


def test_events_are_listed_newest_first_with_where_they_stand(busy: Shop) -> None:
    listed = busy.events()
    assert [(event["event_name"], event["event_id"], event["state"], event["reason"]) for event in listed] == [
        ("ViewContent", "ORD-1", "delivered", None),
        ("Purchase", "ORD-3", "unmatched", None),
        ("Purchase", "ORD-2", "dead", "rejected"),
        ("Purchase", "ORD-1", "delivered", None),
    ]
    assert {frozenset(event) for event in listed} == {
        frozenset({"id", "event_name", "event_id", "state", "reason", "revision"})
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"event_name": "Purchase"}, ["ORD-3", "ORD-2", "ORD-1"]),
        ({"event_id": "ORD-1"}, ["ORD-1", "ORD-1"]),
        ({"event_id": "ORD-1", "event_name": "Purchase"}, ["ORD-1"]),
        ({"state": "dead"}, ["ORD-2"]),
        ({"state": "delivered", "event_id": "ORD-2"}, []),
        ({"event_id": "' OR 1=1 --"}, []),
    ],
)
def test_events_are_found_by_name_id_and_state(busy: Shop, asked: dict[str, str], found: list[str]) -> None:
    assert [event["event_id"] for event in busy.events(**asked)] == found


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("events", {"state": "lost"}),
        ("events", {"event_id": "\0"}),
        ("events", {"event_name": "é" * 300}),
        ("events", {"cursor": "x"}),
        ("records", {"cursor": "\0" * 32}),
    ],
)
def test_a_question_that_makes_no_sense_is_400_by_its_field(shop: Shop, name: str, params: dict[str, str]) -> None:
    answer = ask(shop, name, **params)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, *params)


def test_long_lists_come_in_pages_without_a_gap_or_a_double(shop: Shop) -> None:
    for number in range(101):
        assert shop.post(shop.order(f"ORD-{number}"), Prefer="respond-async").status_code in (200, 202)
    for name in ("events", "records"):
        first = ask(shop, name).json()
        second = ask(shop, name, cursor=first["next_cursor"]).json()
        assert [len(first[name]), len(second[name]), second["next_cursor"]] == [100, 1, None]
        listed = [each["event_id"] for each in first[name] + second[name]]
        assert listed == [f"ORD-{number}" for number in reversed(range(101))]


def test_the_life_of_an_event_tells_records_delivery_and_attempts(busy: Shop) -> None:
    busy.post(busy.order("ORD-1"))
    (listed,) = busy.events(event_id="ORD-1", event_name="Purchase")
    told = busy.tale(listed["id"])
    event = told["event"]
    assert Click(*(event[name] for name in Click.__struct_fields__)) == busy.click
    assert (event["event_id"], event["source"], event["custom_data"]["value"]) == ("ORD-1", "server", 99.97)
    assert [record["duplicate"] for record in told["records"]] == [False, True]
    (delivery,) = told["deliveries"]
    assert (delivery["destination"], delivery["state"]) == ("meta", "delivered")
    (attempt,) = delivery["attempts"]
    assert (attempt["number"], attempt["trigger"], attempt["outcome"], attempt["http_status"]) == (1, "first", "accepted", 200)  # fmt: skip
    assert '"events_received":1' in attempt["answer"]


def test_a_shop_sees_nothing_of_another(house: House, busy: Shop) -> None:
    other = house.shop()
    (one,) = busy.events(state="dead")
    for name in ("events", "records", f"events/{one['id']}"):
        answers = [ask(busy, name, key=other.key), ask(busy, name, key="")]
        assert [answer.status_code for answer in answers] == [404, 401]
        assert "ORD-" not in answers[0].text
    assert (other.events(), other.records()) == ([], [])
    assert ask(other, f"events/{one['id']}").status_code == 404


@pytest.mark.parametrize("odd", ["0" * 32, "x", "%00", "é", "%27%20OR%201=1"])
def test_an_event_that_is_not_there_is_404(shop: Shop, odd: str) -> None:
    assert ask(shop, f"events/{odd}").status_code == 404
