"""`collector replay`, beside no serving process: what it would do, what it does, what it refuses and why."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from collector.attribution import Click, ref
from collector.delivery import DEADLINE_MARGIN_MS
from collector.store import face
from collector.store.opening import Store
from collector.vault import open_vault
from tests.commands.conftest import Run, Tell
from tests.commands.shelf import CLICK, DAY, Shelf


@pytest.fixture
def shelf(tell: Tell, shop: str, tmp_path: Path) -> Shelf:
    """A business whose WhatsApp channel runs."""
    ids = ("--waba-id", "100000000000001", "--dataset-id", "200000000000001")
    tell("channel", "set", shop, "whatsapp", *ids, stdin="token")
    return Shelf(tmp_path / "data", shop)


def refused(run: Run, shelf: Shelf, *arguments: str) -> dict[str, int]:
    """Why nothing was replayed."""
    result = run("replay", shelf.business_id, *arguments, "--json")
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert (told["replayed"], told["refused"]) == (0, sum(told["refused_by_reason"].values()))
    return dict(told["refused_by_reason"])


def test_a_replayed_event_goes_out_under_its_own_id_as_a_manual_try(tell: Tell, shelf: Shelf) -> None:
    row = shelf.put("dead", "rejected", "rejected")
    before = shelf.standing(row)
    told = tell("replay", shelf.business_id, row)
    assert told == {
        "dry_run": False, "replayed": 1, "refused": 0, "held": 0, "replayed_by_reason": {"rejected": 1}, "refused_by_reason": {},
    }  # fmt: skip
    (claim,) = shelf.claims()
    assert claim.event == before.event
    assert (claim.delivery.attempts, claim.delivery.revision, claim.delivery.trigger) == (2, 1, "manual")


def test_a_dry_run_tells_the_same_and_writes_nothing(run: Run, tell: Tell, shelf: Shelf) -> None:
    rows = [shelf.put("dead", "rejected", "rejected"), shelf.put("dead", "consent")]
    shelf.put("dead", "expired", age_days=8)
    before = [shelf.standing(row) for row in rows]
    arguments = ("replay", shelf.business_id, "--from", "2020-01-31")
    told = tell(*arguments, "--dry-run")
    assert (told["replayed_by_reason"], told["refused_by_reason"]) == ({"rejected": 1}, {"consent": 1, "expired": 1})
    words = run(*arguments, "--dry-run").stdout
    assert words.startswith("1 would be replayed\n")
    assert "older than Meta takes; --as-test" in words
    assert [shelf.standing(row) for row in rows] == before
    assert shelf.claims() == []
    assert tell(*arguments) == told | {"dry_run": False}
    assert [shelf.state(row) for row in rows] == ["pending", "dead(consent)"]


@pytest.mark.parametrize(
    ("state", "reason", "outcomes", "fields", "why"),
    [
        ("pending", None, (), {}, "under_way"),
        ("retrying", None, ("unavailable",), {}, "under_way"),
        ("held", "token", ("held",), {}, "held"),
        ("held", "consent", (), {"consent": "pending"}, "consent"),
        ("dead", "consent", (), {}, "consent"),
        ("dead", "rejected", ("rejected",), {"consent": "denied"}, "consent"),
        ("unmatched", None, (), {"click": Click(), "order_id": "ORD-1"}, "unmatched"),
        ("dead", "no_click_id", (), {"click": Click("trk")}, "no_click_id"),
        ("dead", "test", (), {"test": True}, "test"),
        ("dead", "expired", (), {"age_days": 7}, "expired"),
        ("dead", "unmatched", (), {"click": Click(), "age_days": 7}, "expired"),
        ("delivered", None, ("accepted",), {}, "delivered"),
        ("dead", "rejected", ("accepted", "rejected"), {}, "delivered"),
        ("dead", "rejected", ("unknown", "rejected"), {}, "unknown"),
        ("dead", "unknown", ("unknown",), {}, "unknown"),
        ("held", "unknown", ("unknown",), {}, "unknown"),
    ],
)
def test_what_is_not_to_be_sent_is_refused_with_its_reason(
    run: Run,
    shelf: Shelf,
    state: str,
    reason: str | None,
    outcomes: tuple[str, ...],
    fields: dict[str, Any],
    why: str,
) -> None:
    row = shelf.put(state, reason, *outcomes, **fields)
    before = shelf.standing(row)
    assert refused(run, shelf, row) == {why: 1}
    assert shelf.standing(row) == before
    assert "1 refused\n" in run("replay", shelf.business_id, row).stdout


def test_what_arrived_or_may_have_goes_out_again_only_where_a_double_is_allowed(
    tell: Tell, run: Run, shelf: Shelf
) -> None:
    rows = [
        shelf.put("dead", "rejected", "unknown", "rejected"),
        shelf.put("held", "unknown", "unknown"),
        shelf.put("delivered", None, "accepted"),
    ]
    search = ("--from", "2020-01-31")
    assert refused(run, shelf, *search) == {"unknown": 2}
    assert refused(run, shelf, *search, "--delivered") == {"unknown": 2, "delivered": 1}
    assert tell("replay", shelf.business_id, *search, "--allow-double")["replayed"] == 2
    assert [shelf.state(row) for row in rows] == ["pending", "pending", "delivered"]
    assert tell("replay", shelf.business_id, rows[2], "--allow-double")["replayed_by_reason"] == {"delivered": 1}
    assert sorted(claim.delivery.attempts for claim in shelf.claims()) == [2, 2, 3]


def test_what_expired_goes_out_as_a_test_with_the_code_and_a_time_that_meta_takes(
    tell: Tell, run: Run, shelf: Shelf
) -> None:
    rows = [shelf.put("dead", "expired", age_days=8), shelf.put("dead", "rejected", "rejected")]
    result = run("replay", shelf.business_id, *rows, "--as-test")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"has no test event code: collector business set {shelf.business_id} --test-event-code" in result.stderr
    assert [shelf.state(row) for row in rows] == ["dead(expired)", "dead(rejected)"]
    tell("business", "set", shelf.business_id, "--test-event-code", "TEST1")
    told = tell("replay", shelf.business_id, *rows, "--as-test")
    assert (told["replayed_by_reason"], told["refused_by_reason"]) == ({"expired": 1}, {"in_time": 1})
    (claim,) = shelf.claims()
    assert (claim.event.test, claim.event.event_id, claim.event.revision) == (True, "ORD-1", 1)
    assert abs(claim.event.event_at - time.time() * 1000) < 60_000
    assert claim.delivery.deadline_at == claim.event.event_at + 7 * DAY - DEADLINE_MARGIN_MS


def test_an_event_whose_click_never_came_is_replayed_where_its_order_is_tied_to_one_by_now(
    tell: Tell, run: Run, shelf: Shelf
) -> None:
    tell("business", "set", shelf.business_id, "--test-event-code", "TEST1")
    row = shelf.put("dead", "unmatched", click=Click(), order_id="ORD-1", age_days=8)
    assert refused(run, shelf, row, "--as-test") == {"unmatched": 1}

    async def link(store: Store) -> None:
        tied = face.Link(business_id=shelf.business_id, kind="order_id", id="ORD-1", click=CLICK, ref="r", at=1)
        await store.ledger.link(tied, await store.directory.version())

    shelf.run(link)
    assert tell("replay", shelf.business_id, row, "--as-test")["replayed"] == 1
    (claim,) = shelf.claims()
    assert (claim.event.click, claim.event.test) == (CLICK, True)


def test_whoever_denied_since_is_not_replayed(tell: Tell, run: Run, shelf: Shelf) -> None:
    row = shelf.put("dead", "rejected", "rejected")
    name = ref(CLICK, shelf.business_id, open_vault(shelf.directory, ()).ref_key())

    async def land(store: Store) -> None:
        landed = face.Landing(business_id=shelf.business_id, ref=name, click=CLICK, at=shelf.now, consent="denied")
        await store.ledger.land(landed, await store.directory.version())

    shelf.run(land)
    assert refused(run, shelf, row) == {"consent": 1}


def test_what_is_replayed_while_its_channel_stands_still_waits_for_it(tell: Tell, run: Run, shelf: Shelf) -> None:
    row = shelf.put("dead", "rejected", "rejected")

    async def hold(store: Store) -> None:
        await store.outbox.hold(shelf.business_id, "whatsapp", f"meta:{shelf.business_id}:whatsapp:", "token")

    shelf.run(hold)
    assert "1 of them wait for their channel" in run("replay", shelf.business_id, row).stdout
    assert shelf.state(row) == "held(token)"
    assert tell("channel", "resume", shelf.business_id, "whatsapp") == {"released": 1}
    assert [claim.delivery.trigger for claim in shelf.claims()] == ["manual"]


def test_a_search_is_narrowed_by_reason_channel_and_time(tell: Tell, shelf: Shelf) -> None:
    shelf.put("dead", "rejected", "rejected")
    shelf.put("dead", "rejected", channel="website")
    shelf.put("dead", "test", test=True)
    shelf.put("dead", "rejected", "rejected", age_days=3)
    day = time.strftime("%Y-%m-%d", time.gmtime(shelf.now / 1000 - 86_400))

    def found(*options: str) -> int:
        told = tell("replay", shelf.business_id, "--reason", "rejected", *options, "--dry-run")
        return int(told["replayed"] + told["refused"])

    assert (found(), found("--channel", "website"), found("--from", day), found("--until", day)) == (3, 1, 2, 1)
    assert found("--from", day, "--until", f"{day}T00:00:01") == 0


def test_more_than_a_page_is_replayed_whole(tell: Tell, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.commands.replay.PAGE_ROWS", 2)
    rows = [shelf.put("dead", "rejected", "rejected") for _ in range(5)]
    assert tell("replay", shelf.business_id, "--reason", "rejected")["replayed"] == 5
    assert {shelf.state(row) for row in rows} == {"pending"}
    assert len(shelf.claims()) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "say which"),
        (("x", "--reason", "rejected"), 2, "not both"),
        (("--reason", "nope"), 2, "nope"),
        (("--from", "2030-01-31", "--until", "2030-01-31"), 2, "--from must be before --until"),
        (("--from", "soon"), 2, "soon"),
        (("0" * 32,), 1, f"has no event {'0' * 32}"),
        (("",), 1, "has no event"),
    ],
)
def test_a_call_that_makes_no_sense_is_said(
    run: Run, shelf: Shelf, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = run("replay", shelf.business_id, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr


def test_an_unknown_id_among_others_leaves_them_alone(run: Run, shelf: Shelf) -> None:
    row = shelf.put("dead", "rejected", "rejected")
    assert run("replay", shelf.business_id, row, "0" * 32).exit_code == 1
    assert shelf.state(row) == "dead(rejected)"


def test_a_business_that_is_not_there_is_said(run: Run, shop: str) -> None:
    result = run("replay", "nope", "--reason", "rejected")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: no business nope\n")


def test_nothing_found_is_no_failure(run: Run, shelf: Shelf) -> None:
    result = run("replay", shelf.business_id, "--reason", "rejected")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Nothing to replay.\n", "")
