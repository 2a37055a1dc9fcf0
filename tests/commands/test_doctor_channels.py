"""`collector doctor` against a sandbox over HTTP: tokens, scopes, datasets, webhooks and holds, each broken in turn."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from collector.store.opening import open_store
from tests.commands.conftest import Run, Tell
from tests.commands.patient import ALL, INSTAGRAM_ACCOUNT, MESSENGER, WEBSITE, WHATSAPP, Doctor, faulty, teach
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import PAGE, WABA


def test_an_expired_token_is_named_and_the_rest_of_its_channel_is_not_checked(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    teach(sandbox, tell, business, WHATSAPP, expired=True)
    checks = doctor()
    token = checks["whatsapp.token"]
    assert (token["status"], token["what"]) == ("fault", "the access token has expired (190/463)")
    assert f"collector channel set {business} whatsapp --waba-id {WABA} < token.txt" in token["remedy"]
    assert faulty(checks) == {f"whatsapp.{name}" for name in ("token", "scopes", "dataset", "link", "webhooks")}
    assert {checks[f"whatsapp.{name}"]["status"] for name in ("scopes", "dataset", "link", "webhooks")} == {"skipped"}


def test_an_unknown_token_is_named(doctor: Doctor, tell: Tell, business: str) -> None:
    tell("channel", "set", business, *WEBSITE, stdin="EAAmade-up-hunter2")
    assert doctor()["website.token"]["what"] == "the access token is refused by Meta (190)"


def test_a_token_that_expires_soon_is_a_warning(doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str) -> None:
    teach(sandbox, tell, business, MESSENGER, expires_at=int(time.time()) + 5 * 86_400)
    checks = doctor()
    assert faulty(checks) == {"messenger.token"}
    assert checks["messenger.token"]["status"] == "warning"
    assert "expires on 20" in checks["messenger.token"]["what"]


@pytest.mark.parametrize(
    ("channel", "scopes", "lacking", "hidden"),
    [
        (WHATSAPP, ["whatsapp_business_management"], "whatsapp_business_manage_events", {"link"}),
        (WHATSAPP, ["whatsapp_business_manage_events"], "whatsapp_business_management", {"link", "webhooks"}),
        (MESSENGER, ["pages_manage_metadata"], "page_events", {"link"}),
        (INSTAGRAM_ACCOUNT, ["instagram_manage_messages"], "instagram_manage_events", {"link"}),
    ],
)
def test_a_missing_scope_is_named_and_what_it_hides_is_not_checked(
    doctor: Doctor,
    sandbox: Sandbox,
    tell: Tell,
    business: str,
    channel: Any,
    scopes: list[str],
    lacking: str,
    hidden: set[str],
) -> None:
    teach(sandbox, tell, business, channel, scopes=scopes)
    checks = doctor()
    finding = checks[f"{channel[0]}.scopes"]
    assert (finding["status"], finding["what"]) == ("fault", f"the token lacks {lacking}")
    assert lacking in finding["remedy"]
    assert faulty(checks) == {f"{channel[0]}.{name}" for name in {"scopes", *hidden}}
    assert {checks[f"{channel[0]}.{name}"]["status"] for name in hidden} == {"skipped"}


def test_a_wrong_dataset_is_named_with_the_right_one(doctor: Doctor, tell: Tell, business: str) -> None:
    tell(
        "channel",
        "set",
        business,
        "whatsapp",
        "--waba-id",
        WABA,
        "--dataset-id",
        "200000000000002",
        stdin="sandbox-token",
    )
    checks = doctor()
    assert faulty(checks) == {"whatsapp.link"}
    link = checks["whatsapp.link"]
    assert f"the dataset of WhatsApp account {WABA} is 200000000000001, not 200000000000002" in link["what"]
    assert link["remedy"] == f"collector dataset create {business} whatsapp"


def test_the_remedy_of_a_wrong_dataset_heals_it(
    doctor: Doctor, run: Run, tell: Tell, business: str, settings: dict[str, str]
) -> None:
    tell(
        "channel",
        "set",
        business,
        "messenger",
        "--page-id",
        PAGE,
        "--dataset-id",
        "200000000000003",
        stdin="sandbox-token",
    )
    _, *command = doctor()["messenger.link"]["remedy"].split()
    assert run(*command, env=settings).exit_code == 0
    assert faulty(doctor()) == set()


def test_a_dataset_that_is_not_assigned_is_named(doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str) -> None:
    teach(sandbox, tell, business, WEBSITE, datasets=["200000000000001"])
    checks = doctor()
    assert faulty(checks) == {"website.dataset"}
    finding = checks["website.dataset"]
    assert "is not assigned to the token's system user (100/33)" in finding["what"]
    assert "System users" in finding["remedy"]


def test_an_account_that_is_not_assigned_is_named(doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str) -> None:
    teach(sandbox, tell, business, WHATSAPP, assets=[PAGE])
    checks = doctor()
    assert "does not hold for WhatsApp account" in checks["whatsapp.scopes"]["what"]
    assert "is not assigned to the token's system user (100/33)" in checks["whatsapp.link"]["what"]


def test_an_account_and_a_channel_without_dataset_are_named(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    new = "100000000000077"
    sandbox.state(assets={new: "waba"}, subscriptions={new: ["messages"]})
    tell("channel", "set", business, "whatsapp", "--waba-id", new, stdin="sandbox-token")
    checks = doctor()
    assert checks["whatsapp.dataset"]["what"] == "none is set: events wait (held)"
    assert checks["whatsapp.link"]["what"] == f"WhatsApp account {new} has no dataset: Meta refuses its events"
    assert {checks[f"whatsapp.{name}"]["remedy"] for name in ("dataset", "link")} == {
        f"collector dataset create {business} whatsapp"
    }


def test_a_missing_subscription_is_a_fault_where_webhooks_are_wanted(doctor: Doctor, sandbox: Sandbox) -> None:
    sandbox.state(subscriptions={WABA: None, PAGE: ["messages"]})
    checks = doctor()
    assert faulty(checks) == {"whatsapp.webhooks", "messenger.webhooks"}
    assert "no app gets the webhooks" in checks["whatsapp.webhooks"]["what"]
    assert f"POST /{WABA}/subscribed_apps" in checks["whatsapp.webhooks"]["remedy"]
    assert "messaging_postbacks, messaging_referrals" in checks["messenger.webhooks"]["what"]
    unwanted = doctor(COLLECTOR_META_APP_SECRET="", COLLECTOR_META_VERIFY_TOKEN="")
    assert {each["status"] for each in unwanted.values()} == {"ok", "warning"}
    assert "COLLECTOR_META_APP_SECRET and COLLECTOR_META_VERIFY_TOKEN" in unwanted["collector.webhooks"]["what"]


def test_a_held_channel_is_said_with_its_reason(doctor: Doctor, business: str, tmp_path: Path) -> None:
    async def hold() -> None:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", serving=False) as store:
            await store.outbox.hold(business, "whatsapp", f"meta:{business}:whatsapp:", "token")

    asyncio.run(hold())
    checks = doctor()
    assert faulty(checks) == {"whatsapp.lane"}
    assert checks["whatsapp.lane"]["what"] == "held (token): its events wait, none is lost"
    assert checks["whatsapp.lane"]["remedy"].endswith(f"collector channel resume {business} whatsapp")


def test_a_token_that_does_not_open_is_named(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "data" / "keys").unlink()
    checks = doctor()
    assert {checks[f"{channel[0]}.token"]["status"] for channel in ALL} == {"fault"}
    assert "the stored token does not open" in checks["whatsapp.token"]["what"]


def test_a_shared_token_is_named_in_the_remedy(doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str) -> None:
    sandbox.state(tokens={"hunter2-token": {"expired": True}})
    tell("credential", "set", "agency", stdin="hunter2-token")
    for channel in ALL:
        tell("channel", "set", business, *channel, "--credential", "agency")
    checks = doctor()
    assert {checks[f"{channel[0]}.token"]["remedy"].rpartition(": ")[2] for channel in ALL} == {
        "collector credential set agency < token.txt"
    }
    tell("credential", "set", "agency", stdin="sandbox-token")
    assert faulty(doctor()) == set()
