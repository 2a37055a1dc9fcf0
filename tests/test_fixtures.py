"""What the tests stand on does what it says: a real PostgreSQL, real processes, a real uvicorn."""

import ssl
import sys
from pathlib import Path

import asyncpg
import httpx2
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests import postgres
from tests.processes import running, serving


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def test_each_test_has_an_empty_database_that_really_syncs(
    postgres_server: postgres.PostgresServer, postgres_dsn: str
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()
    assert postgres_dsn != postgres_server.dsn


def test_a_missing_postgresql_fails_in_ci_even_with_the_opt_out(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv(postgres.OPT_OUT_VARIABLE, "1")
    monkeypatch.delenv(postgres.DSN_VARIABLE, raising=False)
    monkeypatch.setattr(postgres, "find_binaries", lambda: None)
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile("def test_it(postgres_dsn): pass")
    outcome = pytester.runpytest_inprocess()
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines([f"*{postgres.MISSING}*"])


def test_the_opt_out_skips_on_a_developers_machine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(postgres.OPT_OUT_VARIABLE, "1")
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile("def test_it(postgres_dsn): pass")
    pytester.runpytest_inprocess().assert_outcomes(skipped=1)


def test_no_setting_of_the_developers_own_reaches_a_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLECTOR_GRAPH_URL", "https://graph.example")
    pytester.makeconftest("from tests.conftest import *")
    pytester.makepyfile("import os\ndef test_it(): assert 'COLLECTOR_GRAPH_URL' not in os.environ")
    pytester.runpytest_inprocess("-p", "no:playwright").assert_outcomes(passed=1)  # its hook cannot nest


def test_a_process_is_ready_when_its_port_is_and_gone_when_the_block_ends(free_port: int, tmp_path: Path) -> None:
    with running(sys.executable, "-m", "http.server", str(free_port), "--bind", "127.0.0.1", cwd=tmp_path) as process:
        process.wait_for_listener(free_port)
        assert httpx2.get(f"http://127.0.0.1:{free_port}/", trust_env=False).status_code == 200
        assert process.popen.poll() is None
    assert process.popen.returncode == -9
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"http://127.0.0.1:{free_port}/", trust_env=False)


def test_a_process_that_ends_before_it_listens_shows_what_it_printed(free_port: int) -> None:
    with (
        running(sys.executable, "-c", "raise SystemExit('no ' + 'disk')") as process,
        pytest.raises(AssertionError, match="no disk"),
    ):
        process.wait_for_listener(free_port)


def test_an_application_is_served_over_http_and_https(tmp_path: Path) -> None:
    app = Starlette(routes=[Route("/", hello)])
    with serving(app) as url:
        assert httpx2.get(url, trust_env=False).text == "hello"
    authority = trustme.CA()
    certificate, authority_file = tmp_path / "server.pem", tmp_path / "ca.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(authority_file)
    with serving(app, ssl_certfile=certificate) as url:
        assert url.startswith("https://")
        with httpx2.Client(verify=_trusting(authority_file), trust_env=False) as client:
            assert client.get(url).text == "hello"


def _trusting(authority_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority_file)


async def refusing(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no settings"})


def test_an_application_that_refuses_to_start_fails_the_test_at_once() -> None:
    with pytest.raises(AssertionError, match="refused to start"), serving(refusing):
        pytest.fail("the block must not start")
