"""A channel's token, scopes, dataset, link, webhooks and lane."""

from typing import Any

import pytest
from msgspec.structs import replace

from collector.destinations.graph import App, Problem
from collector.diagnosis import diagnose
from collector.diagnosis.trouble import explain
from collector.settings import load
from tests.diagnosis.facts import DAY, ID, NOW, business, channel, facts, found, known, of_channel, token

WABA, DATASET = "100000000000001", "200000000000001"
EXPIRED = Problem(code=190, subcode=463, words="Session has expired")
UNASSIGNED = Problem(code=100, subcode=33, words="Unsupported get request")
STORE = f"collector channel set {ID} whatsapp --waba-id {WABA} < token.txt"


def after_the_token(told: Any, **changes: Any) -> set[str]:
    findings = diagnose(facts(channels=(known(told=told, **changes),)))
    return {each.status for each in findings if each.part == "whatsapp" and each.check not in ("token", "lane")}


# ------------------------------------------------------------------ the token


def test_a_token_says_whose_it_is_and_how_long_it_lives() -> None:
    assert of_channel("token").what == "valid, never expires (system user of Our app)"
    shared = of_channel(
        "token", row=channel(credential="agency"), told=token(expires_at=NOW + 60 * DAY, app=None, kind=None)
    )
    assert shared.what == "valid, until 2026-11-20 (token, credential agency)"


@pytest.mark.parametrize(("days", "status"), [(14, "ok"), (13.9, "warning"), (0, "warning")])
def test_a_token_that_expires_soon_is_a_warning(days: float, status: str) -> None:
    finding = of_channel("token", told=token(expires_at=int(NOW + days * DAY)))
    assert finding.status == status
    assert (STORE in str(finding.remedy)) == (status == "warning")
    assert after_the_token(token(expires_at=NOW + DAY)) != {"skipped"}


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (EXPIRED, "the access token has expired (190/463)"),
        (token(valid=False, problem=EXPIRED), "the access token has expired (190/463)"),
        (token(valid=False), "the access token is refused by Meta (190)"),
        (Problem(code=190, subcode=460), "the access token is over: its user has changed the password (190/460)"),
        (Problem(code=190, subcode=458), "the access token is over: its user has removed the app (190/458)"),
        (Problem(code=102), "the access token is refused by Meta (102)"),
    ],
)
def test_a_token_that_meta_refuses_is_a_fault_and_nothing_else_is_checked(told: Any, what: str) -> None:
    finding = of_channel("token", told=told)
    assert (finding.status, finding.what) == ("fault", what)
    assert str(finding.remedy).endswith(STORE)
    assert after_the_token(told) == {"skipped"}


def test_a_token_that_does_not_open_is_a_fault() -> None:
    finding = of_channel("token", sealed="no key fits", told=None)
    assert (finding.status, finding.what) == ("fault", "the stored token does not open: no key fits")
    assert "COLLECTOR_SECRET_KEYS" in str(finding.remedy)
    assert after_the_token(None, sealed="no key fits") == {"skipped"}


def test_a_token_that_graph_does_not_describe_is_used_all_the_same() -> None:
    odd = Problem(code=100, words="You must provide an app access token")
    assert of_channel("token", told=odd).status == "warning"
    assert of_channel("scopes", told=odd).what == "not checked: Graph does not describe the token"
    assert of_channel("link", told=odd).status == "ok"
    assert of_channel("webhooks", told=odd).status == "warning", "whose app the token is of is not known"


def test_a_question_without_answer_is_no_fault_of_the_token() -> None:
    lost = Problem(words="ReadTimeout", lost=True)
    assert of_channel("token", told=lost).status == "skipped"
    assert after_the_token(lost) == {"skipped"}


@pytest.mark.parametrize(
    ("row", "command"),
    [
        (channel(), STORE),
        (channel(credential="agency"), "collector credential set agency < token.txt"),
        (channel("messenger"), f"collector channel set {ID} messenger --page-id 100000000000002 < token.txt"),
        (channel("instagram"), f"collector channel set {ID} instagram --ig-account-id 100000000000003 < token.txt"),
        (channel("website"), f"collector channel set {ID} website --dataset-id {DATASET} < token.txt"),
        (
            channel("connectly", asset_id="uuid", dataset_id=None),
            f"collector destination set {ID} connectly --connectly-business-id uuid < key.txt",
        ),
    ],
)
def test_the_remedy_is_a_command_that_can_be_copied(row: Any, command: str) -> None:
    assert explain(EXPIRED, row, "it").remedy.endswith(f"store it: {command}")


# ------------------------------------------------------------------ scopes


@pytest.mark.parametrize(
    ("name", "scopes", "lacking"),
    [
        ("whatsapp", ("whatsapp_business_management",), "whatsapp_business_manage_events"),
        ("whatsapp", ("whatsapp_business_manage_events",), "whatsapp_business_management"),
        ("whatsapp", (), "whatsapp_business_management and whatsapp_business_manage_events"),
        ("messenger", ("instagram_manage_events",), "page_events"),
        ("instagram", ("page_events",), "instagram_manage_events"),
    ],
)
def test_a_missing_scope_is_named(name: str, scopes: tuple[str, ...], lacking: str) -> None:
    finding = of_channel("scopes", name, told=token(*scopes))
    assert (finding.status, finding.what) == ("fault", f"the token lacks {lacking}")
    assert "generate one with" in str(finding.remedy)


def test_a_scope_that_holds_for_other_accounts_is_a_fault() -> None:
    both = {"whatsapp_business_management": None, "whatsapp_business_manage_events": ("999",)}
    finding = of_channel("scopes", told=token(scopes=both))
    assert finding.what == f"the token's whatsapp_business_manage_events does not hold for WhatsApp account {WABA}"
    mine = dict.fromkeys(both, (WABA,))
    assert of_channel("scopes", told=token(scopes=mine)).status == "ok"


def test_a_website_needs_no_scope_no_link_and_no_webhooks() -> None:
    findings = diagnose(facts(channels=(known("website", told=token()),)))
    told = {each.check: each.status for each in findings if each.part == "website"}
    assert told == {"token": "ok", "scopes": "ok", "dataset": "ok", "lane": "ok"}
    over = diagnose(facts(channels=(known("website", told=EXPIRED),)))
    assert [each.check for each in over if each.status == "skipped"] == ["scopes", "dataset"]


# ------------------------------------------------------------------ dataset and link


def test_a_dataset_is_shown_with_its_name() -> None:
    assert of_channel("dataset").what == f"{DATASET} (Coffee Event Data)"
    assert of_channel("dataset", named=DATASET).what == DATASET


def test_a_channel_without_dataset_is_told_how_to_get_one() -> None:
    changes: dict[str, Any] = {"row": channel(dataset_id=None)}
    finding = of_channel("dataset", **changes)
    assert (finding.status, finding.remedy) == ("fault", f"collector dataset create {ID} whatsapp")
    link = of_channel("link", **changes)
    assert (link.status, "none is set here" in link.what) == ("skipped", True)


@pytest.mark.parametrize(
    ("named", "status", "word"),
    [
        (
            UNASSIGNED,
            "fault",
            f"dataset {DATASET} does not exist, or is not assigned to the token's system user (100/33)",
        ),
        (Problem(code=200, words="no"), "skipped", "not checked: Graph shows it only to a token that may read it"),
        (Problem(code=4, words="slow down"), "skipped", "not checked: Graph cannot say now (4): slow down"),
    ],
)
def test_a_dataset_that_graph_does_not_show_is_said_with_its_reason(named: Problem, status: str, word: str) -> None:
    finding = of_channel("dataset", named=named)
    assert finding.status == status
    assert word in finding.what
    assert finding.remedy


def test_a_dataset_of_another_account_is_a_fault() -> None:
    finding = of_channel("link", linked=("200000000000009",))
    assert (
        finding.what
        == f"the dataset of WhatsApp account {WABA} is 200000000000009, not {DATASET}: Meta refuses its events"
    )
    assert finding.remedy == f"collector dataset create {ID} whatsapp"
    assert of_channel("link", linked=("200000000000009", DATASET)).status == "ok"


def test_an_account_without_dataset_is_a_fault() -> None:
    finding = of_channel("link", linked=())
    assert (finding.status, finding.remedy) == ("fault", f"collector dataset create {ID} whatsapp")


def test_an_account_that_is_not_assigned_is_a_fault() -> None:
    finding = of_channel("link", linked=UNASSIGNED)
    assert (
        finding.what
        == f"WhatsApp account {WABA} does not exist, or is not assigned to the token's system user (100/33)"
    )
    assert "Assign assets" in str(finding.remedy)


def test_an_answer_that_may_come_later_is_no_fault() -> None:
    lost = Problem(words="ReadTimeout", lost=True)
    for check in ("dataset", "link", "webhooks"):
        finding = of_channel(check, named=lost, linked=lost, apps=lost)
        assert finding.status == "skipped"
        assert finding.what.startswith("not checked: Graph cannot be reached: ReadTimeout")


@pytest.mark.parametrize("code", [200, 270])
def test_a_link_that_a_missing_scope_hides_is_not_checked(code: int) -> None:
    hidden = Problem(code=code, words="no")
    assert of_channel("link", linked=hidden, told=token("whatsapp_business_management")).status == "skipped"
    assert of_channel("link", linked=hidden).status == "fault", "no scope is missing that is known of"
    narrow = token("whatsapp_business_management")
    assert of_channel("link", linked=UNASSIGNED, told=narrow).status == "fault", "that is no matter of scopes"


# ------------------------------------------------------------------ webhooks


OTHER = App("777", "Chat tool", None)


@pytest.mark.parametrize(
    ("name", "apps", "status", "word"),
    [
        ("whatsapp", (), "fault", "no app gets the webhooks of WhatsApp account"),
        ("whatsapp", (OTHER,), "warning", "they go to Chat tool (777), which is not the token's app"),
        ("whatsapp", (OTHER, App("500", "Our app", None)), "ok", "Our app gets those of WhatsApp account"),
        ("messenger", (App("500", "Our app", ("messages",)),), "fault", "messaging_postbacks, messaging_referrals"),
        ("messenger", (App("500", "Our app", None),), "ok", "gets those of Page"),
        (
            "instagram",
            (App("500", "Our app", ()),),
            "fault",
            "messages, messaging_postbacks, messaging_referral of Instagram",
        ),
        ("whatsapp", Problem(code=200, words="no"), "skipped", "only to a token with whatsapp_business_management"),
        ("messenger", Problem(code=210, words="no"), "skipped", "only to a token of the Page itself (210)"),
        ("whatsapp", UNASSIGNED, "skipped", "not assigned"),
    ],
)
def test_who_hears_the_chats_is_said(name: str, apps: Any, status: str, word: str) -> None:
    finding = of_channel("webhooks", name, apps=apps)
    assert finding.status == status
    assert word in finding.what
    assert (finding.remedy is None) == (status == "ok")


def test_without_an_app_secret_a_missing_subscription_is_a_warning() -> None:
    settings = load({"COLLECTOR_PUBLIC_URL": "https://t.coffee.example"})
    for apps in ((), (App("500", "Our app", ()),)):
        finding = found("webhooks", "messenger", settings=settings, channels=(known("messenger", apps=apps),))
        assert finding.status == "warning"
        assert "subscribed_fields=messages,messaging_postbacks,messaging_referrals" in str(finding.remedy)


# ------------------------------------------------------------------ the lane


def test_a_held_channel_is_a_fault_and_its_remedy_depends_on_the_rest() -> None:
    row = channel(held="token")
    mended = of_channel("lane", row=row)
    assert (mended.status, mended.what) == ("fault", "held (token): its events wait, none is lost")
    assert mended.remedy == f"what can be checked is in order: collector channel resume {ID} whatsapp"
    for changes in ({"told": EXPIRED}, {"told": None}, {"linked": ()}):
        broken = of_channel("lane", row=row, **changes)
        assert str(broken.remedy).startswith("mend what stands above")


def test_connectly_has_a_token_and_a_lane_alone() -> None:
    row = channel("connectly", asset_id="uuid", dataset_id=None, held="token")
    findings = diagnose(
        facts(business=business(destination="connectly"), channels=(replace(known(told=None), row=row),))
    )
    told = {each.check: each for each in findings if each.part == "connectly"}
    assert [each.status for each in told.values()] == ["ok", "skipped", "fault"]
    assert str(told["lane"].remedy).startswith("what can be checked is in order")
