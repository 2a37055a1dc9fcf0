"""`collector doctor` against a sandbox over HTTP: what it looks like, what every channel stands on, and the pages."""

import time

import pytest

from collector.sandbox import create_sandbox
from tests.commands.conftest import Run, Tell
from tests.commands.patient import Doctor, faulty
from tests.processes import serving
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import WABA


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


def test_words_of_others_stay_on_their_line_and_move_no_cursor(
    run: Run, business: str, settings: dict[str, str], sandbox: Sandbox
) -> None:
    sandbox.state(datasets={"200000000000001": {"waba_id": WABA, "name": "A\nB\x1b[2JC"}})
    lines = run("doctor", business, env=settings, color=True).stdout.splitlines()
    (line,) = (line for line in lines if "200000000000001" in line and "dataset" in line)
    assert line.endswith("200000000000001 (A B [2JC)")


def test_colours_are_for_a_terminal(run: Run, business: str, settings: dict[str, str]) -> None:
    coloured = run("doctor", business, env=settings, color=True).stdout
    assert "\x1b[32mok       \x1b[0m" in coloured
    plain = run("doctor", business, env=settings | {"NO_COLOR": "1"}, color=True).stdout
    assert "\x1b" not in plain


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
    assert checks["whatsapp.token"]["what"].startswith("Graph does not describe it: Graph cannot say now: HTTP 500")
    assert checks["whatsapp.dataset"]["status"] == "skipped"
    assert checks["whatsapp.link"]["status"] == "ok"


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
