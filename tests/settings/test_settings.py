"""Settings: defaults, the environment, files for secrets, and every problem at once."""

from pathlib import Path

import pytest

from collector.errors import SettingsError
from collector.settings import SECRETS, VARIABLES, default_data_dir, load
from collector.vault import encode_key

KEY = encode_key(bytes(range(32)))
OTHER_KEY = encode_key(bytes(range(100, 132)))

BAD = {
    "COLLECTOR_DATA_DIR": "~no-such-user-here/data",
    "COLLECTOR_DATABASE_URL": "mysql://root:hunter2-secret@db/collector",
    "COLLECTOR_SECRET_KEYS": f"{KEY},hunter2-secret",
    "COLLECTOR_PUBLIC_URL": "http://t.shop.example",
    "COLLECTOR_GRAPH_URL": "https://graph.facebook.com/v25.0",
    "COLLECTOR_GRAPH_VERSION": "25",
    "COLLECTOR_CONNECTLY_URL": "https://user:pass@api.connectly.ai",
    "COLLECTOR_PARTNER_AGENT": "a-name-of-twenty-three!",
    "COLLECTOR_META_APP_SECRET": "hunter2",
    "COLLECTOR_META_VERIFY_TOKEN": "hunter2",
    "COLLECTOR_FORWARDED_ALLOW_IPS": "10.0.0.0/8,*",
    "COLLECTOR_WAIT_SECONDS": "nan",
    "COLLECTOR_LANDING_DAYS": "1e400",
    "COLLECTOR_LOG_LEVEL": "loud",
    "COLLECTOR_RATE_IP_PER_MINUTE": "-1",
    "COLLECTOR_RATE_BUSINESS_PER_MINUTE": "many",
    "COLLECTOR_BROWSER_BODY_BYTES": "64 KiB",
    "COLLECTOR_CALL_BODY_BYTES": "99999999999",
    "COLLECTOR_EVENTS_BODY_BYTES": "1",
    "COLLECTOR_WEBHOOK_BODY_BYTES": "-4",
    "COLLECTOR_WAITERS": "5000.5",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return caught.value.problems


def problem(variable: str, value: str) -> str:
    (found,) = problems({variable: value})
    assert found.startswith(f"{variable}: ")
    return found


def test_nothing_need_be_set() -> None:
    settings = load({"HOME": "/home/ann"})
    assert settings.data_dir == Path("/home/ann/.local/share/collector")
    assert settings.database_url == "sqlite:////home/ann/.local/share/collector/collector.db"
    assert (settings.graph_url, settings.graph_version) == ("https://graph.facebook.com", "v25.0")
    assert settings.wait_seconds == 5
    assert settings.forwarded_allow_ips == ()


def test_every_variable_sets_its_field() -> None:
    given = {
        "COLLECTOR_DATA_DIR": "/data",
        "COLLECTOR_DATABASE_URL": "postgresql://c:pw@db/collector",
        "COLLECTOR_SECRET_KEYS": f"{KEY}, {OTHER_KEY}",
        "COLLECTOR_PUBLIC_URL": "https://shop.example/t/",
        "COLLECTOR_GRAPH_URL": "http://127.0.0.1:8001/",
        "COLLECTOR_GRAPH_VERSION": "v26.0",
        "COLLECTOR_CONNECTLY_URL": "http://localhost:8001",
        "COLLECTOR_PARTNER_AGENT": "connectly",
        "COLLECTOR_META_APP_SECRET": "a" * 32 + "," + "b" * 32,
        "COLLECTOR_META_VERIFY_TOKEN": "open sesame",
        "COLLECTOR_FORWARDED_ALLOW_IPS": "10.0.0.0/8, ::1",
        "COLLECTOR_WAIT_SECONDS": "0.5",
        "COLLECTOR_LANDING_DAYS": "30",
        "COLLECTOR_LOG_LEVEL": "debug",
    }
    settings = load(given)
    assert settings.data_dir == Path("/data")
    assert settings.database_url == "postgresql://c:pw@db/collector"
    assert settings.secret_keys == (bytes(range(32)), bytes(range(100, 132)))
    assert settings.public_url == "https://shop.example/t"
    assert settings.graph_url == "http://127.0.0.1:8001"
    assert settings.graph_version == "v26.0"
    assert settings.connectly_url == "http://localhost:8001"
    assert settings.partner_agent == "connectly"
    assert settings.meta_app_secret == ("a" * 32, "b" * 32)
    assert settings.meta_verify_token == "open sesame"
    assert settings.forwarded_allow_ips == ("10.0.0.0/8", "::1")
    assert (settings.wait_seconds, settings.landing_days, settings.log_level) == (0.5, 30, "debug")


LIMITS = [variable for variable, name in VARIABLES.items() if isinstance(getattr(load({}), name), int)]


@pytest.mark.parametrize("variable", LIMITS)
def test_every_limit_can_be_set(variable: str) -> None:
    wanted = getattr(load({}), VARIABLES[variable]) + 1
    assert getattr(load({variable: f" {wanted} "}), VARIABLES[variable]) == wanted


def test_a_problem_in_every_variable_is_told_at_once_and_by_name() -> None:
    assert set(BAD) == set(VARIABLES), "a new setting needs a bad value here"
    assert [line.partition(":")[0] for line in problems(BAD)] == sorted(BAD)


def test_no_problem_repeats_a_secret() -> None:
    told = "\n".join(problems(BAD))
    assert "hunter2" not in told
    assert KEY not in told


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("COLLECTOR_GRAPH_URL", "http://graph.facebook.com", "https"),
        ("COLLECTOR_GRAPH_URL", "http://graph.localhost", "https"),
        ("COLLECTOR_GRAPH_URL", "http://127.0.0.1.evil.example", "https"),
        ("COLLECTOR_GRAPH_URL", "graph.facebook.com", "URL"),
        ("COLLECTOR_GRAPH_URL", "https://graph.facebook.com:99999", "URL"),
        ("COLLECTOR_GRAPH_URL", "https://[::1", "URL"),
        ("COLLECTOR_GRAPH_VERSION", "25", "must look like v25.0"),
        ("COLLECTOR_META_APP_SECRET", "long-enough,short", "must have 8 characters or more"),
        ("COLLECTOR_WAIT_SECONDS", "a while", "must be a number"),
        ("COLLECTOR_WAIT_SECONDS", "61", "must be 60.0 or less"),
        ("COLLECTOR_WAITERS", "5000.5", "must be a whole number"),
        ("COLLECTOR_LANDING_DAYS", "0", "must be 1 or more"),
        ("COLLECTOR_GRAPH_URL", "https://graph.facebook.com/?access_token=x", "query"),
        ("COLLECTOR_GRAPH_URL", "file:///etc/passwd", "URL"),
        ("COLLECTOR_PUBLIC_URL", 'https://t.example/"><script>', "plain"),
        ("COLLECTOR_PARTNER_AGENT", "7-11", "2 letters"),
        ("COLLECTOR_PARTNER_AGENT", "Café Ünïversal", "ASCII"),
        ("COLLECTOR_SECRET_KEYS", "A" * 43, "placeholder"),
        ("COLLECTOR_SECRET_KEYS", "c2hvcnQ", "32 bytes"),
        ("COLLECTOR_SECRET_KEYS", "not base64!", "base64url"),
        ("COLLECTOR_SECRET_KEYS", f"{KEY},", "32 bytes"),
        ("COLLECTOR_LOG_LEVEL", "INFO", "debug, info, warning, error"),
        ("COLLECTOR_WAIT_SECONDS", "inf", "60"),
        ("COLLECTOR_DATABASE_URL", "sqlite://", "sqlite:///"),
        ("COLLECTOR_DATABASE_URL", "sqlite:////", "sqlite:///"),
        ("COLLECTOR_DATABASE_URL", "sqlite://host/collector.db", "sqlite:///"),
        ("COLLECTOR_DATABASE_URL", "postgresql://", "sqlite:///"),
        ("COLLECTOR_DATABASE_URL", "/var/lib/collector.db", "sqlite:///"),
    ],
)
def test_a_bad_value_is_refused_with_its_rule(variable: str, value: str, word: str) -> None:
    assert word in problem(variable, value)


def test_a_misspelt_variable_does_not_pass_for_a_default() -> None:
    assert problem("COLLECTOR_DATABSE_URL", "x").endswith("did you mean COLLECTOR_DATABASE_URL?")
    assert problem("COLLECTOR_XYZZY", "x") == "COLLECTOR_XYZZY: no such setting"


def test_variables_of_commands_and_tests_are_not_settings() -> None:
    load({"COLLECTOR_ACCESS_TOKEN": "x", "COLLECTOR_TEST_POSTGRES_DSN": "x", "PATH": "/bin"})


def test_an_empty_variable_counts_as_unset() -> None:
    assert load({"COLLECTOR_WAIT_SECONDS": "", "COLLECTOR_SECRET_KEYS": "  "}) == load({})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n")
    assert load({"COLLECTOR_SECRET_KEYS_FILE": str(file)}).secret_keys == (bytes(range(32)),)


def test_a_file_is_for_secrets_alone(tmp_path: Path) -> None:
    assert "only secrets" in problem("COLLECTOR_WAITERS_FILE", str(tmp_path))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00binary"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    assert "cannot be read" in problem("COLLECTOR_META_VERIFY_TOKEN_FILE", str(file))


def test_a_secret_given_twice_is_a_problem(tmp_path: Path) -> None:
    (found,) = problems({"COLLECTOR_SECRET_KEYS": KEY, "COLLECTOR_SECRET_KEYS_FILE": str(tmp_path / "keys")})
    assert found == "COLLECTOR_SECRET_KEYS_FILE: COLLECTOR_SECRET_KEYS is set too; set one of them"


def test_secrets_are_not_in_the_representation() -> None:
    settings = load(
        {
            "COLLECTOR_DATABASE_URL": "postgresql://c:hunter2-secret@db/collector",
            "COLLECTOR_SECRET_KEYS": KEY,
            "COLLECTOR_META_APP_SECRET": "hunter2-secret-of-the-app",
            "COLLECTOR_META_VERIFY_TOKEN": "hunter2-verify",
        }
    )
    for shown in (repr(settings), str(settings), f"{settings}", repr(settings.__rich_repr__())):
        assert "hunter2" not in shown
        assert repr(bytes(range(32))) not in shown
    assert "graph_url" in repr(settings)
    assert {"secret_keys", "database_url", "meta_app_secret", "meta_verify_token"} == SECRETS


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_DATA_HOME": "/xdg", "HOME": "/home/ann"}, "/xdg/collector"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home/ann"}, "/home/ann/.local/share/collector"),
        ({"HOME": ""}, "collector-data"),
        ({}, "collector-data"),
    ],
)
def test_the_data_directory_has_a_place_even_without_a_home(environ: dict[str, str], expected: str) -> None:
    found = default_data_dir(environ)
    assert found.is_absolute()
    assert found == Path(expected).absolute()
