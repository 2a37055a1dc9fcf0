"""`collector credential`: one token for many channels."""

import asyncio
from pathlib import Path

import pytest

from collector.delivery import LaneName
from collector.directory import Directory
from collector.store.opening import open_store
from collector.vault import open_vault
from tests.commands.conftest import Run, Tell
from tests.commands.shelf import Shelf

TOKEN = "EAAB-hunter2-token"
WHATSAPP = ("whatsapp", "--waba-id", "100000000000001", "--dataset-id", "200000000000001")
WEBSITE = ("website", "--dataset-id", "200000000000004")


def opened(tmp_path: Path, business_id: str, channel: str) -> str:
    """The token that a serving process would send with."""

    async def work() -> str:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", serving=False) as store:
            directory = Directory(store.directory, open_vault(tmp_path / "data", ()))
            await directory.refresh()
            found = directory.channel(business_id, channel)
            assert found is not None
            return found.token

    return asyncio.run(work())


def test_many_channels_name_one_token_that_is_sealed_and_never_shown(
    run: Run, tell: Tell, shop: str, tmp_path: Path
) -> None:
    assert tell("credential", "set", "agency", stdin=f"{TOKEN}\n") == {"name": "agency", "channels": []}
    other = tell("business", "create", "B", "--origin", "https://b.example")["business_id"]
    for business_id in (shop, other):
        told = tell("channel", "set", business_id, *WHATSAPP, "--credential", "agency")
        assert told["credential"] == "agency"
    assert [opened(tmp_path, each, "whatsapp") for each in (shop, other)] == [TOKEN] * 2
    (listed,) = tell("credential", "list")["credentials"]
    assert sorted(each["business_id"] for each in listed["channels"]) == sorted((shop, other))
    assert "agency  2 channels of 2 businesses  20" in run("credential", "list").stdout
    assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "data").iterdir())
    for shown in (("credential", "list"), ("credential", "list", "--json"), ("channel", "list", shop, "--json")):
        assert "hunter2" not in run(*shown).output


def test_a_new_token_is_used_by_all_and_releases_what_they_held(
    run: Run, tell: Tell, shop: str, tmp_path: Path
) -> None:
    tell("credential", "set", "agency", stdin="an-old-token")
    tell("channel", "set", shop, *WHATSAPP, "--credential", "agency")
    tell("channel", "set", shop, *WEBSITE, stdin="its-own-token")
    shelf = Shelf(tmp_path / "data", shop)
    row = shelf.put("pending")

    async def hold(channel: str) -> None:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", serving=False) as store:
            await store.outbox.hold(shop, channel, LaneName("meta", shop, channel, "").prefix, "token")

    for channel in ("whatsapp", "website"):
        asyncio.run(hold(channel))
    assert shelf.state(row) == "held(token)"
    result = run("credential", "set", "agency", env={"COLLECTOR_ACCESS_TOKEN": TOKEN})
    assert result.exit_code == 0
    assert "Used by     1 channel\n" in result.stdout
    assert (shelf.state(row), opened(tmp_path, shop, "whatsapp")) == ("pending", TOKEN)
    held = {each["channel"]: each["held"] for each in tell("channel", "list", shop)["channels"]}
    assert held == {"whatsapp": None, "website": "token"}, "who has a token of its own is not concerned"
    assert opened(tmp_path, shop, "website") == "its-own-token"


def test_a_channel_goes_from_a_shared_token_to_its_own_and_back(tell: Tell, shop: str, tmp_path: Path) -> None:
    tell("credential", "set", "agency", stdin=TOKEN)
    tell("channel", "set", shop, *WHATSAPP, "--credential", "agency")
    assert tell("channel", "set", shop, *WHATSAPP, stdin="its-own")["credential"] is None
    assert (opened(tmp_path, shop, "whatsapp"), tell("credential", "list")["credentials"][0]["channels"]) == (
        "its-own",
        [],
    )
    tell("channel", "set", shop, *WHATSAPP, "--credential", "agency", stdin="ignored")
    assert opened(tmp_path, shop, "whatsapp") == TOKEN


def test_an_unknown_credential_is_named_with_its_remedy(run: Run, tell: Tell, shop: str) -> None:
    result = run("channel", "set", shop, *WHATSAPP, "--credential", "agncy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no credential agncy; store it first: collector credential set agncy" in result.stderr
    assert tell("channel", "list", shop) == {"channels": []}


@pytest.mark.parametrize("name", ["", "two words", "-x", "a" * 65, "../x", "é"])
def test_a_bad_name_is_refused(run: Run, tell: Tell, name: str) -> None:
    result = run("credential", "set", "--", name, stdin=TOKEN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "credential" in result.stderr
    assert "hunter2" not in result.output
    assert tell("credential", "list") == {"credentials": []}


@pytest.mark.parametrize("stdin", ["", " \n", "two words", "a\r\nX: y"])
def test_a_bad_token_is_refused_and_not_repeated(run: Run, tell: Tell, stdin: str) -> None:
    result = run("credential", "set", "agency", stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "token" in result.stderr
    assert tell("credential", "list") == {"credentials": []}


def test_an_empty_list_helps(run: Run) -> None:
    assert "collector credential set NAME" in run("credential", "list").stdout
