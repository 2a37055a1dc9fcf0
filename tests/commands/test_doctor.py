"""`collector doctor` against a sandbox over HTTP: a business in order, and each way to break it."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from collector.sandbox import create_sandbox
from collector.store.opening import open_store
from tests.commands.conftest import Run, Tell
from tests.processes import serving
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import CLICK, INSTAGRAM, PAGE, WABA

WHATSAPP = ("whatsapp", "--waba-id", WABA, "--dataset-id", "200000000000001")
MESSENGER = ("messenger", "--page-id", PAGE, "--dataset-id", "200000000000002")
INSTAGRAM_ACCOUNT = ("instagram", "--ig-account-id", INSTAGRAM, "--dataset-id", "200000000000003")
WEBSITE = ("website", "--dataset-id", "200000000000004")
ALL = (WHATSAPP, MESSENGER, INSTAGRAM_ACCOUNT, WEBSITE)
PEOPLE = ("--ctwa-clid", CLICK, "--page-scoped-user-id", "300000000000002", "--ig-sid", "300000000000003")

Checks = dict[str, dict[str, Any]]
Doctor = Callable[..., Checks]


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """Shop and collector on one host, as a proxy would put them."""

    async def page(_request: object) -> Response:
        return PlainTextResponse("hello")

    async def moved(_request: object) -> Response:
        return RedirectResponse("https://www.elsewhere.example/", 301)

    with serving(Starlette(routes=[Route("/", page), Route("/cnct.js", page), Route("/moved/", moved)])) as url:
        yield url


@pytest.fixture
def settings(at_graph: dict[str, str], pages: str) -> dict[str, str]:
    return at_graph | {
        "COLLECTOR_PUBLIC_URL": pages,
        "COLLECTOR_META_APP_SECRET": "a-secret-of-the-app",
        "COLLECTOR_META_VERIFY_TOKEN": "a-word-to-verify",
        "COLLECTOR_CONNECTLY_URL": at_graph["COLLECTOR_GRAPH_URL"],
    }


@pytest.fixture
def business(tell: Tell, pages: str) -> str:
    """A business whose four channels are those of the sandbox."""
    business_id = str(tell("business", "create", "Coffee Shop", "--origin", pages)["business_id"])
    for channel in ALL:
        tell("channel", "set", business_id, *channel, stdin="sandbox-token")
    return business_id


@pytest.fixture
def doctor(run: Run, business: str, settings: dict[str, str]) -> Doctor:
    """The checks by `part.check`; the exit code agrees with them, and nothing secret is said."""

    def examine(*options: str, **changed: str) -> Checks:
        result = run("doctor", business, *options, "--json", env=settings | changed)
        told = json.loads(result.stdout)
        checks = {f"{each['part']}.{each['check']}": each for each in told["checks"]}
        faults = [name for name, each in checks.items() if each["status"] == "fault"]
        assert (result.exit_code, told["ok"], told["faults"]) == (int(bool(faults)), not faults, len(faults))
        assert all(each["remedy"] for each in checks.values() if each["status"] in ("warning", "fault"))
        assert "hunter2" not in result.output
        assert "sandbox-token" not in result.output
        assert "a-secret-of-the-app" not in result.output
        return checks

    return examine


def faulty(checks: Checks) -> set[str]:
    """What is not simply ok."""
    return {name for name, each in checks.items() if each["status"] != "ok"}


def test_a_healthy_business_is_all_ok(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor()
    assert faulty(checks) == set()
    assert len(checks) == 13 + 6 + 6 + 6 + 4
    asked = [each["url"] for each in sandbox.requests() if "debug_token" in each["url"]]
    assert len(asked) == 1, "four channels have one token"
    assert sandbox.events() == [], "nobody asked for a test event"


def test_people_read_it_in_columns_without_colour_where_it_is_no_terminal(
    run: Run, business: str, settings: dict[str, str]
) -> None:
    result = run("doctor", business, env=settings)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"Coffee Shop  {business}"
    assert lines[-1] == "All is well"
    assert "\x1b" not in result.stdout
    whats = [line for line in lines if line.startswith("  ok")]
    assert len(whats) == 35
    assert {line[:11] for line in whats} == {"  ok       "}
    assert {line[21] for line in whats} == {" "}
    assert all(line[22] != " " for line in whats)


def test_a_fault_ends_with_1_and_shows_its_remedy_below(run: Run, business: str, settings: dict[str, str]) -> None:
    run("business", "set", business, "--mode", "test")
    result = run("doctor", business, env=settings)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    at = lines.index("  fault    mode       test, without a code: everything is stored, nothing is sent")
    assert lines[at + 1].startswith(f"{'':22}→ collector business set {business} --test-event-code")
    assert lines[-1] == "1 fault"


def test_colours_are_for_a_terminal(
    run: Run, business: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.commands.doctor._is_terminal", lambda: True)
    coloured = run("doctor", business, env=settings, color=True).stdout
    assert "\x1b[32mok       \x1b[0m" in coloured
    plain = run("doctor", business, env=settings | {"NO_COLOR": "1"}, color=True).stdout
    assert "\x1b" not in plain


# ------------------------------------------------------------------ tokens, scopes, datasets


def teach(sandbox: Sandbox, tell: Tell, business: str, *channels: tuple[str, ...], **token: Any) -> None:
    """Give these channels a token of this kind."""
    sandbox.state(tokens={"hunter2-token": token}).raise_for_status()
    for channel in channels:
        tell("channel", "set", business, *channel, stdin="hunter2-token")


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


# ------------------------------------------------------------------ webhooks, holds, clock, version, network


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


@pytest.mark.parametrize(
    ("off_seconds", "status"), [(60, "warning"), (-60, "warning"), (3600, "fault"), (-3600, "fault")]
)
def test_a_clock_that_is_off_is_said(doctor: Doctor, off_seconds: int, status: str) -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - off_seconds))
    with serving(create_sandbox(), date_header=False, headers=[("Date", date)]) as url:
        checks = doctor(COLLECTOR_GRAPH_URL=url)
    assert faulty(checks) == {"collector.clock"}
    assert checks["collector.clock"]["status"] == status
    assert f"{'ahead of' if off_seconds > 0 else 'behind'} the destination's" in checks["collector.clock"]["what"]


def test_a_version_that_is_over_is_said(doctor: Doctor) -> None:
    checks = doctor(COLLECTOR_GRAPH_VERSION="v16.0")
    assert faulty(checks) == {"collector.version"}
    assert checks["collector.version"]["what"] == "v16.0 is over: Graph serves it as v21.0"


def test_a_graph_that_is_not_there_is_the_one_fault(doctor: Doctor, free_port: int) -> None:
    checks = doctor("--send-test", "TEST1", COLLECTOR_GRAPH_URL=f"http://127.0.0.1:{free_port}")
    assert [name for name, each in checks.items() if each["status"] == "fault"] == ["collector.graph"]
    assert checks["test event.website"]["what"] == "not sent: the token cannot be used"


def test_a_graph_that_fails_is_no_fault_of_the_business(doctor: Doctor, sandbox: Sandbox) -> None:
    sandbox.faults(
        {"kind": "throttle", "via": "graph", "edge": "node"}, {"kind": "html500", "via": "graph", "edge": "debug_token"}
    )
    checks = doctor()
    assert "fault" not in {each["status"] for each in checks.values()}
    assert checks["whatsapp.token"]["what"].startswith("Graph does not describe it: Graph refuses the question")
    assert checks["whatsapp.dataset"]["status"] == "skipped"
    assert checks["whatsapp.link"]["status"] == "ok"


# ------------------------------------------------------------------ pages, keys


def test_a_foreign_site_a_narrow_cookie_and_a_page_that_is_not_there_are_said(
    doctor: Doctor, tell: Tell, business: str, free_port: int
) -> None:
    origin = f"http://a.localhost:{free_port}"
    tell("business", "set", business, "--origin", origin, "--origin", "https://shop.invalid", "--cookie-domain", "none")
    checks = doctor(COLLECTOR_PUBLIC_URL="https://collector.invalid")
    assert faulty(checks) == {f"pages.{name}" for name in ("origins", "shop", "collector", "site", "cookie")}
    assert "is on another site than a.localhost" in checks["pages.site"]["what"]
    assert "does not reach https://shop.invalid" in checks["pages.cookie"]["what"]
    assert checks["pages.cookie"]["status"] == "fault"


def test_a_collector_that_is_not_served_there_is_a_fault(doctor: Doctor, pages: str) -> None:
    checks = doctor(COLLECTOR_PUBLIC_URL=f"{pages}/nowhere")
    assert faulty(checks) == {"pages.collector"}
    assert checks["pages.collector"]["what"] == f"{pages}/nowhere/cnct.js answers 404: shoppers get no snippet"


def test_a_business_without_keys_is_named(doctor: Doctor, tell: Tell, business: str) -> None:
    (key,) = tell("key", "list", business)["keys"]
    tell("key", "revoke", business, key["key_id"])
    checks = doctor()
    assert faulty(checks) == {"business.keys"}
    assert checks["business.keys"]["remedy"] == f"collector key create {business}"


def test_a_store_that_takes_no_write_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.errors import Unavailable
    from collector.store.opening import Store

    async def full(_store: Store) -> None:
        raise Unavailable("disk I/O error")

    monkeypatch.setattr(Store, "writable", full)
    checks = doctor()
    assert faulty(checks) == {"collector.database"}
    assert checks["collector.database"]["what"] == "cannot be written: disk I/O error"


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


# ------------------------------------------------------------------ Connectly, unknown businesses


def test_connectly_is_checked_as_far_as_it_can_be(
    run: Run, tell: Tell, business: str, settings: dict[str, str]
) -> None:
    tell("destination", "set", business, "connectly", "--connectly-business-id", business, stdin="sandbox-key")
    result = run("doctor", business, "--send-test", "TEST1", env=settings)
    assert result.exit_code == 0
    assert "whatsapp" not in result.stdout
    assert "Connectly's API key for" in result.stdout
    assert "not sent: Connectly takes no test events" in result.stdout
    assert result.stdout.endswith("All is well; 2 checks not made\n")


def test_an_unknown_business_is_said(run: Run, settings: dict[str, str]) -> None:
    result = run("doctor", "nobody", env=settings)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: no business nobody\n")


# ------------------------------------------------------------------ test events


def test_test_events_go_through_the_destination_and_tell_graphs_verdict(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST12345", *PEOPLE)
    assert {checks[f"test event.{channel[0]}"]["status"] for channel in ALL} == {"ok"}
    events = sandbox.events()
    assert [(each["dataset_id"], each["test_event_code"]) for each in events] == [
        (channel[-1], "TEST12345") for channel in ALL
    ]
    assert {each["event"]["event_name"] for each in events} == {"ViewContent"}
    assert len({each["event"]["event_id"] for each in events}) == 4
    sent = [each["event"]["user_data"] for each in events]
    assert sent[0] == {"whatsapp_business_account_id": WABA, "ctwa_clid": CLICK}
    assert all("custom_data" not in each["event"] for each in events)


def test_without_an_id_that_meta_knows_a_test_event_is_not_sent(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST12345")
    assert "--ctwa-clid ID" in checks["test event.whatsapp"]["what"]
    assert "--page-scoped-user-id ID" in checks["test event.messenger"]["what"]
    assert "--ig-sid ID" in checks["test event.instagram"]["what"]
    assert [each["dataset_id"] for each in sandbox.events()] == ["200000000000004"]


def test_a_refused_test_event_is_a_fault_with_its_remedy(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST1", "--ctwa-clid", "ARAhunter2-made-up-click")
    finding = checks["test event.whatsapp"]
    assert (finding["status"], "(100/2804087)" in finding["what"]) == ("fault", True)
    assert "take the ctwa_clid of a real click" in finding["remedy"]


def test_a_test_event_has_a_name_that_the_business_may_send(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    tell("business", "set", business, "--messaging-names", "Purchase,LeadSubmitted")
    doctor("--send-test", "TEST1", *PEOPLE)
    names = [each["event"]["event_name"] for each in sandbox.events()]
    assert names == ["LeadSubmitted", "LeadSubmitted", "LeadSubmitted", "ViewContent"]
    tell("business", "set", business, "--messaging-names", "Purchase")
    checks = doctor("--send-test", "TEST1", *PEOPLE)
    assert "conversations have none of" in checks["test event.whatsapp"]["what"]
    assert "Purchase" not in {each["event"]["event_name"] for each in sandbox.events()}


def test_a_channel_without_dataset_gets_no_test_event(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    sandbox.state(assets={"100000000000077": "page"})
    tell("channel", "set", business, "messenger", "--page-id", "100000000000077", stdin="sandbox-token")
    checks = doctor("--send-test", "TEST1", *PEOPLE)
    assert checks["test event.messenger"]["what"] == "not sent: the channel has no dataset"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--send-test", "two words"), "test_event_code"),
        (("--send-test", ""), "test_event_code"),
        (PEOPLE, "--send-test"),
    ],
)
def test_a_misuse_is_2(run: Run, business: str, settings: dict[str, str], options: tuple[str, ...], word: str) -> None:
    result = run("doctor", business, *options, env=settings)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr
