"""`collector channel` and `collector destination`: secrets from environment or standard input, sealed at once."""

import asyncio
from pathlib import Path

import pytest

from collector.store.face import DirectorySnapshot
from collector.store.opening import open_store
from collector.vault import open_vault
from tests.commands.conftest import Run, Tell

TOKEN = "EAAB-hunter2-token"
WHATSAPP = ("whatsapp", "--waba-id", "100000000000001", "--dataset-id", "200000000000001")
ACCOUNT = "7d2b0a54-1111-4222-8333-444444444444"


async def _snapshot(data: Path) -> DirectorySnapshot:
    async with open_store(f"sqlite:///{data}/collector.db", serving=False) as store:
        return await store.directory.snapshot()


def stored_tokens(tmp_path: Path) -> dict[str, str]:
    """Channel to its token in the clear, as a serving process would open it."""
    vault = open_vault(tmp_path / "data", ())
    channels = asyncio.run(_snapshot(tmp_path / "data")).channels
    return {row.channel: vault.open(row.sealed_token or "", (row.business_id, row.channel)) for row in channels}


def hold(tmp_path: Path, business_id: str, channel: str) -> None:
    async def work() -> None:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", serving=False) as store:
            await store.outbox.hold(business_id, channel, f"meta:{business_id}:{channel}:", "token")

    asyncio.run(work())


@pytest.mark.parametrize(
    ("stdin", "env"),
    [(f"{TOKEN}\n", {}), ("", {"COLLECTOR_ACCESS_TOKEN": TOKEN}), ("other", {"COLLECTOR_ACCESS_TOKEN": f" {TOKEN}\n"})],
    ids=["standard input", "environment", "environment first"],
)
def test_the_token_is_stored_sealed_and_never_shown(
    run: Run, shop: str, tmp_path: Path, stdin: str, env: dict[str, str]
) -> None:
    result = run("channel", "set", shop, *WHATSAPP, stdin=stdin, env=env)
    assert result.exit_code == 0, result.output
    assert stored_tokens(tmp_path) == {"whatsapp": TOKEN}
    assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "data").iterdir())
    for shown in (("channel", "list", shop), ("channel", "list", shop, "--json"), ("business", "show", shop, "--json")):
        result = run(*shown)
        assert "200000000000001" in result.stdout
        assert "hunter2" not in result.output
        assert "seal" not in result.output


@pytest.mark.parametrize(
    ("arguments", "asset"),
    [
        (("messenger", "--page-id", "100000000000002", "--dataset-id", "200000000000002"), "100000000000002"),
        (("instagram", "--ig-account-id", "100000000000003", "--dataset-id", "200000000000003"), "100000000000003"),
        (("website", "--dataset-id", "200000000000004"), None),
    ],
)
def test_each_channel_has_its_own_account(tell: Tell, shop: str, arguments: tuple[str, ...], asset: str | None) -> None:
    told = tell("channel", "set", shop, *arguments, stdin=TOKEN)
    assert (told["channel"], told["asset_id"], told["dataset_id"]) == (arguments[0], asset, arguments[-1])
    assert tell("channel", "list", shop)["channels"] == [told]


@pytest.mark.parametrize(
    ("arguments", "stdin", "word"),
    [
        (WHATSAPP, "", "COLLECTOR_ACCESS_TOKEN"),
        (WHATSAPP, "  \n", "COLLECTOR_ACCESS_TOKEN"),
        (WHATSAPP, "two words", "token"),
        (WHATSAPP, "a\r\nX-Injected: yes", "token"),
        (WHATSAPP, "é", "token"),
        (WHATSAPP, "x" * 20_000, "token"),
        (("website",), TOKEN, "dataset_id"),
        (("whatsapp", "--dataset-id", "200000000000001"), TOKEN, "waba_id"),
        (("whatsapp", "--waba-id", "1", "--dataset-id", "200000000000001"), TOKEN, "waba_id"),
        (("whatsapp", "--waba-id", "100000000000001", "--dataset-id", "20/../me"), TOKEN, "dataset_id"),
        (("whatsapp", "--waba-id", "100000000000001", "--dataset-id", "٢٠٠٠٠٠٠٠"), TOKEN, "dataset_id"),
        (("website", "--page-id", "100000000000002", "--dataset-id", "200000000000001"), TOKEN, "--page-id"),
        (("telegram", "--dataset-id", "200000000000001"), TOKEN, "telegram"),
    ],
)
def test_a_bad_channel_is_refused_and_the_token_not_repeated(
    run: Run, tell: Tell, shop: str, arguments: tuple[str, ...], stdin: str, word: str
) -> None:
    result = run("channel", "set", shop, *arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr
    assert "hunter2" not in result.output
    assert tell("channel", "list", shop) == {"channels": []}


def test_a_channel_can_be_set_before_its_dataset_is_known(run: Run, tell: Tell, shop: str) -> None:
    told = tell("channel", "set", shop, *WHATSAPP[:3], stdin=TOKEN)
    assert (told["asset_id"], told["dataset_id"]) == ("100000000000001", None)
    words = run("channel", "set", shop, *WHATSAPP[:3], stdin=TOKEN).stdout
    assert f"collector dataset create {shop} whatsapp" in words


def test_an_account_keeps_its_dataset_and_brings_it_to_other_businesses(tell: Tell, shop: str) -> None:
    tell("channel", "set", shop, *WHATSAPP, stdin=TOKEN)
    again = tell("channel", "set", shop, *WHATSAPP[:3], stdin="another-token")
    other = tell("business", "create", "B", "--origin", "https://b.example")["business_id"]
    shared = tell("channel", "set", other, *WHATSAPP[:3], stdin=TOKEN)
    assert [row["dataset_id"] for row in (again, shared)] == ["200000000000001"] * 2
    moved = tell("channel", "set", shop, "whatsapp", "--waba-id", "100000000000009", stdin=TOKEN)
    assert moved["dataset_id"] is None, "a dataset is its account's"


def test_the_dataset_of_another_account_is_refused(run: Run, tell: Tell, shop: str) -> None:
    tell("channel", "set", shop, *WHATSAPP, stdin=TOKEN)
    other = tell("business", "create", "B", "--origin", "https://b.example")["business_id"]
    result = run(*("channel", "set", other, "whatsapp", "--waba-id", "100000000000009", *WHATSAPP[3:]), stdin=TOKEN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is the dataset of whatsapp account 100000000000001" in result.stderr
    assert f"collector dataset create {other} whatsapp" in result.stderr
    assert tell("channel", "list", other) == {"channels": []}
    tell("channel", "set", other, "messenger", "--page-id", "100000000000002", *WHATSAPP[3:], stdin=TOKEN)


@pytest.mark.parametrize("option", ["--token", "--access-token", "--api-key"])
def test_no_argument_takes_a_secret(run: Run, shop: str, option: str) -> None:
    assert run("channel", "set", shop, *WHATSAPP, option, TOKEN).exit_code == 2
    assert run("destination", "set", shop, "connectly", option, TOKEN).exit_code == 2


def test_a_channel_of_an_unknown_business_is_not_stored(run: Run, tmp_path: Path) -> None:
    result = run("channel", "set", ACCOUNT, *WHATSAPP, stdin=TOKEN)
    assert (result.exit_code, result.stderr) == (1, f"Error: no business {ACCOUNT}\n")
    assert stored_tokens(tmp_path) == {}


def test_a_held_channel_runs_again(run: Run, tell: Tell, shop: str, tmp_path: Path) -> None:
    tell("channel", "set", shop, *WHATSAPP, stdin=TOKEN)
    hold(tmp_path, shop, "whatsapp")
    assert tell("channel", "list", shop)["channels"][0]["held"] == "token"
    assert "whatsapp (held: token)" in run("business", "show", shop).stdout
    assert tell("channel", "resume", shop, "whatsapp") == {"released": 0}
    assert tell("channel", "list", shop)["channels"][0]["held"] is None


def test_a_new_token_lets_a_held_channel_run(tell: Tell, shop: str, tmp_path: Path) -> None:
    tell("channel", "set", shop, *WHATSAPP, stdin="the-old-token")
    hold(tmp_path, shop, "whatsapp")
    tell("channel", "set", shop, *WHATSAPP, stdin=TOKEN)
    assert tell("channel", "list", shop)["channels"][0]["held"] is None
    assert stored_tokens(tmp_path) == {"whatsapp": TOKEN}


def test_only_a_channel_that_exists_can_be_resumed(run: Run, shop: str) -> None:
    result = run("channel", "resume", shop, "whatsapp")
    assert result.exit_code == 1
    assert "has no channel whatsapp" in result.stderr


def test_connectly_becomes_the_destination_with_its_key_sealed(run: Run, tell: Tell, shop: str, tmp_path: Path) -> None:
    told = tell("destination", "set", shop, "connectly", "--connectly-business-id", ACCOUNT.upper(), stdin=TOKEN)
    assert told == {"business_id": shop, "destination": "connectly", "connectly_business_id": ACCOUNT}
    assert stored_tokens(tmp_path) == {"connectly": TOKEN}
    assert tell("business", "show", shop)["business"]["destination"] == "connectly"
    assert tell("channel", "resume", shop, "connectly") == {"released": 0}
    assert "hunter2" not in run("channel", "list", shop).output


def test_meta_can_be_chosen_again_without_a_key(tell: Tell, shop: str) -> None:
    tell("destination", "set", shop, "connectly", "--connectly-business-id", ACCOUNT, stdin=TOKEN)
    tell("destination", "set", shop, "meta")
    assert tell("business", "show", shop)["business"]["destination"] == "meta"


@pytest.mark.parametrize(
    "arguments",
    [("connectly",), ("meta", "--connectly-business-id", ACCOUNT), ("connectly", "--connectly-business-id", "7")],
)
def test_a_bad_destination_is_refused(run: Run, tell: Tell, shop: str, arguments: tuple[str, ...]) -> None:
    assert run("destination", "set", shop, *arguments, stdin=TOKEN).exit_code == 2
    assert tell("business", "show", shop)["business"]["destination"] == "meta"
    assert tell("channel", "list", shop) == {"channels": []}
