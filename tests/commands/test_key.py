"""`collector key` and `collector keys`."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.commands.key import expiry
from collector.errors import InvalidField
from collector.vault import encode_key, read_keys
from tests.commands.conftest import Run, Tell

NOW = int(datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000


def test_a_key_is_shown_once(run: Run, tell: Tell, shop: str) -> None:
    made = tell("key", "create", shop, "--name", "checkout", "--expires", "90d")
    assert made["api_key"].startswith("ck_")
    assert made["expires_at"] - made["created_at"] == 90 * DAY_MS
    for result in (run("key", "list", shop), run("key", "list", shop, "--json")):
        assert "checkout" in result.stdout
        assert made["hint"] in result.stdout
        assert made["api_key"] not in result.stdout
    listed = tell("key", "list", shop)["keys"]
    assert [row["name"] for row in sorted(listed, key=lambda row: row["created_at"])] == ["first", "checkout"]
    assert all(set(row) == {"key_id", "name", "hint", "created_at", "expires_at", "revoked_at"} for row in listed)


def test_a_revoked_key_stays_revoked(run: Run, tell: Tell, shop: str) -> None:
    made = tell("key", "create", shop)
    revoked = tell("key", "revoke", shop, made["key_id"])
    assert revoked["key_id"] == made["key_id"]
    listed = {row["key_id"]: row["revoked_at"] for row in tell("key", "list", shop)["keys"]}
    assert listed[made["key_id"]] == revoked["revoked_at"]
    assert sorted(at is None for at in listed.values()) == [False, True]
    assert "revoked " in run("key", "list", shop).stdout
    again = run("key", "revoke", shop, made["key_id"])
    assert again.exit_code == 1
    assert "no usable key" in again.stderr


def test_another_business_cannot_revoke_it(run: Run, tell: Tell, shop: str) -> None:
    made = tell("key", "create", shop)
    other = tell("business", "create", "B", "--origin", "https://b.example")["business_id"]
    assert run("key", "revoke", other, made["key_id"]).exit_code == 1
    assert all(row["revoked_at"] is None for row in tell("key", "list", shop)["keys"])


@pytest.mark.parametrize("command", ["create", "list"])
def test_keys_belong_to_a_business_that_exists(run: Run, command: str) -> None:
    assert run("key", command, "nobody").stderr == "Error: no business nobody\n"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90d", NOW + 90 * DAY_MS),
        ("1d", NOW + DAY_MS),
        ("2026-11-22", NOW + DAY_MS // 2),
        ("2030-01-31", 1_896_048_000_000),
    ],
)
def test_an_expiry_is_a_span_or_a_day(text: str, at: int) -> None:
    assert expiry(text, NOW) == at


@pytest.mark.parametrize(
    "text",
    ["", "0d", "-1d", "d", "90", "90 days", "99999d9", "2026-11-21", "2020-01-01", "2026-13-01", "tomorrow", "٩d"],
)
def test_anything_else_and_the_past_are_no_expiry(text: str) -> None:
    with pytest.raises(InvalidField, match="expires"):
        expiry(text, NOW)


def test_an_expiry_beyond_the_calendar_is_refused(run: Run, tell: Tell, shop: str) -> None:
    before = tell("key", "list", shop)
    for text in ("99999d", "9999-12-31"):
        result = run("key", "create", shop, "--expires", text)
        assert result.exit_code == 0
    assert run("key", "create", shop, "--expires", "soon").exit_code == 2
    assert len(tell("key", "list", shop)["keys"]) == len(before["keys"]) + 2


def test_rotation_adds_a_master_key_and_prints_none(run: Run, tell: Tell, shop: str, tmp_path: Path) -> None:
    file = tmp_path / "data" / "keys"
    before = read_keys(file)
    assert tell("keys", "rotate") == {"keys": 2, "file": str(file)}
    result = run("keys", "rotate")
    assert f"{file} holds 3 keys" in result.stdout
    after = read_keys(file)
    assert after[:1] == before
    assert len(set(after)) == 3
    assert all(encode_key(key) not in result.output for key in after)


def test_channels_set_before_a_rotation_are_read_after_it(tell: Tell, shop: str) -> None:
    arguments = ("channel", "set", shop, "website", "--dataset-id", "200000000000004")
    tell(*arguments, stdin="token")
    tell("keys", "rotate")
    assert tell("business", "show", shop)["channels"][0]["held"] is None


def test_keys_of_the_environment_are_the_operators_to_rotate(run: Run, tmp_path: Path) -> None:
    result = run("keys", "rotate", env={"COLLECTOR_SECRET_KEYS": encode_key(bytes(range(32)))})
    assert result.exit_code == 1
    assert "COLLECTOR_SECRET_KEYS" in result.stderr
    assert not (tmp_path / "data" / "keys").exists()


def test_an_open_key_file_stops_every_command(run: Run, tell: Tell, shop: str, tmp_path: Path) -> None:
    (tmp_path / "data" / "keys").chmod(0o644)
    for command in (["business", "list"], ["keys", "rotate"]):
        result = run(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "chmod 600" in result.stderr
