"""The store, the destination's address, clock, version, webhooks, mode, keys, channels."""

from typing import Any

import pytest
from msgspec.structs import replace

from collector.destinations.graph import Served
from collector.diagnosis import Hearing, diagnose
from collector.policy import Policy
from collector.settings import load
from tests.diagnosis.facts import DAY, NOW, SETTINGS, business, channel, facts, found, key, known


def hearing(off_ms: int = 0, **served: Any) -> Hearing:
    return Hearing(at=NOW + off_ms, served=replace(Served(at=NOW, version="v25.0", warning=None), **served))


def test_all_is_well_in_the_order_in_which_things_break() -> None:
    findings = diagnose(facts())
    assert {each.status for each in findings} == {"ok"}
    assert all(each.remedy is None for each in findings)
    assert [f"{each.part}.{each.check}" for each in findings] == (
        "collector.database collector.graph collector.clock collector.version collector.webhooks "
        "business.mode business.keys business.channels "
        "pages.origins pages.shop pages.collector pages.site pages.cookie "
        "whatsapp.token whatsapp.scopes whatsapp.dataset whatsapp.link whatsapp.webhooks whatsapp.lane"
    ).split()


def test_a_store_that_takes_no_write_is_a_fault() -> None:
    finding = found("database", unwritten="disk full")
    assert (finding.status, finding.what) == ("fault", "cannot be written: disk full")
    assert "503" in str(finding.remedy)


def test_without_graph_nothing_of_it_is_checked() -> None:
    silent = Hearing(at=NOW, served=Served(at=None, version=None, warning=None), error="ConnectError")
    findings = diagnose(facts(hearing=silent, channels=(known(told=None),)))
    told = {f"{each.part}.{each.check}": each for each in findings}
    assert told["collector.graph"].status == "fault"
    assert "COLLECTOR_GRAPH_URL" in str(told["collector.graph"].remedy)
    for name in ("clock", "version"):
        assert told[f"collector.{name}"].what == "not checked: https://graph.facebook.com cannot be reached"
    assert told["whatsapp.token"].what == "not checked: Graph cannot be reached"
    for name in ("token", "scopes", "dataset", "link", "webhooks"):
        assert told[f"whatsapp.{name}"].status == "skipped"


@pytest.mark.parametrize(
    ("off_ms", "status", "what"),
    [
        (0, "ok", "agrees with the destination's"),
        (30_000, "ok", "agrees with the destination's"),
        (-30_000, "ok", "agrees with the destination's"),
        (31_000, "warning", "this machine is 31 seconds ahead of the destination's"),
        (-31_000, "warning", "this machine is 31 seconds behind the destination's"),
        (300_000, "warning", "this machine is 5 minutes ahead of the destination's"),
        (301_000, "fault", "this machine is 5 minutes ahead of the destination's"),
        (-7_300_000, "fault", "this machine is 2 hours behind the destination's"),
        (3 * DAY, "fault", "this machine is 3 days ahead of the destination's"),
    ],
)
def test_a_clock_that_is_off_is_said_by_how_much(off_ms: int, status: str, what: str) -> None:
    finding = found("clock", hearing=hearing(off_ms))
    assert finding.status == status
    assert finding.what.startswith(what)
    assert ("NTP" in str(finding.remedy)) == (status != "ok")


def test_an_answer_without_date_tells_no_clock() -> None:
    finding = found("clock", hearing=hearing(at=None))
    assert (finding.status, finding.what) == ("skipped", "not checked: the answer has no Date")


@pytest.mark.parametrize(
    ("served", "status", "what"),
    [
        ({}, "ok", "v25.0"),
        ({"version": None}, "ok", "v25.0"),
        ({"version": "v26.0", "warning": "upgraded"}, "warning", "v25.0 is over: Graph serves it as v26.0"),
        ({"warning": "soon over"}, "warning", "v25.0, and Graph says: soon over"),
    ],
)
def test_a_version_that_graph_replaces_is_said(served: dict[str, Any], status: str, what: str) -> None:
    finding = found("version", hearing=hearing(**served))
    assert (finding.status, finding.what) == (status, what)
    assert ("COLLECTOR_GRAPH_VERSION" in str(finding.remedy)) == (status == "warning")


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (("META_APP_SECRET",), "COLLECTOR_META_APP_SECRET unset"),
        (("META_VERIFY_TOKEN",), "COLLECTOR_META_VERIFY_TOKEN unset"),
        (("META_APP_SECRET", "META_VERIFY_TOKEN"), "COLLECTOR_META_APP_SECRET and COLLECTOR_META_VERIFY_TOKEN unset"),
    ],
)
def test_webhooks_need_both_settings(lacking: tuple[str, ...], words: str) -> None:
    given = {"META_APP_SECRET": "x" * 16, "META_VERIFY_TOKEN": "y" * 8}
    settings = load({f"COLLECTOR_{name}": value for name, value in given.items() if name not in lacking})
    finding = found("webhooks", "collector", settings=settings)
    assert finding.status == "warning"
    assert finding.what.startswith(words)
    website = facts(settings=settings, channels=(known("website"),))
    assert ("collector", "webhooks") not in {(each.part, each.check) for each in diagnose(website)}


def test_a_test_mode_is_a_warning_and_without_a_code_a_fault() -> None:
    assert (found("mode").status, found("mode").what) == ("ok", "live")
    coded = found("mode", business=business(mode="test", test_event_code="TEST1"))
    assert (coded.status, coded.what) == ("warning", "test: everything goes out as a test event, with the code TEST1")
    assert str(coded.remedy).endswith("--mode live")
    mute = found("mode", business=business(mode="test"))
    assert (mute.status, mute.what) == ("fault", "test, without a code: everything is stored, nothing is sent")
    assert "--test-event-code" in str(mute.remedy)


@pytest.mark.parametrize(
    ("keys", "status", "what"),
    [
        ((), "fault", "no usable API key, there is none"),
        ((key(revoked_at=NOW - 1), key(expires_at=NOW)), "fault", "no usable API key, all are expired or revoked"),
        ((key(expires_at=NOW + 1),), "warning", "the last usable API key expires on 2026-09-21"),
        ((key(expires_at=NOW + 14 * DAY),), "ok", "1 usable"),
        ((key(expires_at=NOW + 1), key()), "ok", "2 usable"),
        ((key(expires_at=NOW + 1), key(expires_at=NOW + 30 * DAY)), "ok", "2 usable"),
        ((key(), key(expires_at=NOW), key(revoked_at=1)), "ok", "1 usable, 2 expired or revoked"),
    ],
)
def test_keys_are_counted_and_their_end_is_said_before_it_comes(keys: Any, status: str, what: str) -> None:
    finding = found("keys", keys=keys)
    assert finding.status == status
    assert finding.what.startswith(what)
    assert (finding.remedy is None) == (status == "ok")


@pytest.mark.parametrize(
    ("names", "purchases", "status", "word"),
    [
        ((), "business_messaging", "fault", "none: every order is answered 404"),
        (("website",), "website", "ok", "website"),
        (("whatsapp",), "website", "fault", "there is no website channel"),
        (("messenger", "website"), "business_messaging", "warning", "without whatsapp"),
        (("whatsapp", "messenger"), "business_messaging", "ok", "whatsapp, messenger"),
    ],
)
def test_the_channels_that_shop_events_need_are_asked_for(
    names: tuple[str, ...], purchases: Any, status: str, word: str
) -> None:
    row = business(policy=Policy(purchases=purchases))
    finding = found("channels", business=row, channels=tuple(map(known, names)))
    assert finding.status == status
    assert word in finding.what
    assert ("collector channel set" in str(finding.remedy)) == (status != "ok")


def test_connectly_needs_its_account_and_is_asked_instead_of_graph() -> None:
    row = business(destination="connectly")
    account = replace(known(told=None), row=channel("connectly", asset_id="uuid", dataset_id=None))
    findings = {f"{each.part}.{each.check}": each for each in diagnose(facts(business=row, channels=(account,)))}
    assert findings["collector.connectly"].what == "https://api.connectly.ai answers"
    assert "collector.version" not in findings
    assert findings["business.channels"].what == "Connectly"
    finding = found("channels", business=row, channels=())
    assert finding.status == "fault"
    assert "collector destination set" in str(finding.remedy)
    silent = Hearing(at=NOW, served=Served(at=None, version=None, warning=None), error="ConnectError")
    unheard = found("connectly", business=row, channels=(account,), hearing=silent)
    assert (unheard.status, "COLLECTOR_CONNECTLY_URL" in str(unheard.remedy)) == ("fault", True)


def test_no_secret_is_in_the_facts_words() -> None:
    assert "xxxx" not in repr(facts(settings=SETTINGS))
