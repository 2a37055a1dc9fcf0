"""`collector dataset` against a sandbox: found, created, stored, shared, refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from collector.store.opening import open_store
from tests.commands.conftest import Run, Tell
from tests.sandbox.conftest import Sandbox

ACCOUNTS = {
    "whatsapp": ("--waba-id", "100000000000001", "200000000000001"),
    "messenger": ("--page-id", "100000000000002", "200000000000002"),
    "instagram": ("--ig-account-id", "100000000000003", "200000000000003"),
}
KINDS = {"whatsapp": "waba", "messenger": "page", "instagram": "ig"}
NEW = "100000000000077"


def connect(
    tell: Tell, business_id: str, channel: str = "whatsapp", asset: str = "", token: str = "sandbox-token"
) -> Any:
    option, known, _ = ACCOUNTS[channel]
    return tell("channel", "set", business_id, channel, option, asset or known, stdin=token)


def channel_of(tell: Tell, business_id: str) -> Any:
    (row,) = tell("channel", "list", business_id)["channels"]
    return row


@pytest.mark.parametrize("answer", ["list", "id", "dataset_id"])
@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_dataset_that_exists_is_found_in_every_shape_and_stored(
    tell: Tell, shop: str, sandbox: Sandbox, at_graph: dict[str, str], channel: str, answer: str
) -> None:
    sandbox.state(settings={"dataset_answer": answer})
    assert connect(tell, shop, channel)["dataset_id"] is None
    asset, dataset = ACCOUNTS[channel][1:]
    shown = tell("dataset", "show", shop, channel, env=at_graph)
    assert (shown["at_meta"], shown["dataset_id"]) == ([dataset], None)
    assert channel_of(tell, shop)["dataset_id"] is None, "to show stores nothing"
    told = tell("dataset", "create", shop, channel, env=at_graph)
    assert (told["asset_id"], told["dataset_id"], told["changed"]) == (asset, dataset, True)
    assert channel_of(tell, shop)["dataset_id"] == dataset
    assert tell("dataset", "show", shop, channel, env=at_graph)["dataset_id"] == dataset


@pytest.mark.parametrize("channel", ACCOUNTS)
def test_a_dataset_is_created_once(
    tell: Tell, run: Run, shop: str, sandbox: Sandbox, at_graph: dict[str, str], channel: str
) -> None:
    sandbox.state(assets={NEW: KINDS[channel]})
    connect(tell, shop, channel, NEW)
    assert tell("dataset", "show", shop, channel, env=at_graph)["at_meta"] == []
    first = tell("dataset", "create", shop, channel, env=at_graph)
    again = tell("dataset", "create", shop, channel, env=at_graph)
    assert again == first | {"changed": False}
    words = run("dataset", "create", shop, channel, env=at_graph).stdout
    assert "Stored   it was already" in words
    posts = [each for each in sandbox.requests() if each["method"] == "POST"]
    assert [each["url"] for each in posts] == [f"{sandbox.url.rstrip('/')}/v25.0/{NEW}/dataset"] * 3
    assert all("sandbox-token" not in each["url"] for each in posts)


def test_what_a_channel_held_for_its_dataset_is_released(
    tell: Tell, shop: str, sandbox: Sandbox, at_graph: dict[str, str], tmp_path: Path
) -> None:
    connect(tell, shop)

    async def hold() -> None:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", serving=False) as store:
            await store.outbox.hold(shop, "whatsapp", f"meta:{shop}:whatsapp:", "dataset")

    asyncio.run(hold())
    assert channel_of(tell, shop)["held"] == "dataset"
    tell("dataset", "create", shop, "whatsapp", env=at_graph)
    assert channel_of(tell, shop)["held"] is None
    asyncio.run(hold())
    assert tell("dataset", "create", shop, "whatsapp", env=at_graph)["changed"] is False
    assert channel_of(tell, shop)["held"] == "dataset", "nothing changed, so nothing is tried again"


def test_channels_on_one_account_share_its_dataset(
    tell: Tell, shop: str, sandbox: Sandbox, at_graph: dict[str, str]
) -> None:
    second, third = (
        tell("business", "create", name, "--origin", f"https://{name}.example")["business_id"] for name in ("b", "c")
    )
    sandbox.state(assets={NEW: "waba"})
    for business_id, asset in ((shop, ""), (second, ""), (third, NEW)):
        connect(tell, business_id, asset=asset)
    told = tell("dataset", "create", shop, "whatsapp", env=at_graph)
    assert told["also_changed"] == [second]
    assert channel_of(tell, second)["dataset_id"] == "200000000000001"
    assert channel_of(tell, third)["dataset_id"] is None, "another account's dataset is another one"


def test_metas_word_replaces_a_wrong_dataset(tell: Tell, run: Run, shop: str, at_graph: dict[str, str]) -> None:
    option, asset, dataset = ACCOUNTS["whatsapp"]
    tell("channel", "set", shop, "whatsapp", option, asset, "--dataset-id", "200000000000002", stdin="sandbox-token")
    shown = run("dataset", "show", shop, "whatsapp", env=at_graph).stdout
    assert f"At Meta  {dataset}\nStored   200000000000002\nNext     collector dataset create {shop} whatsapp" in shown
    assert tell("dataset", "create", shop, "whatsapp", env=at_graph)["dataset_id"] == dataset


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"expired": True}, ("has expired (190/463)", "collector channel set")),
        ({"scopes": ["whatsapp_business_management"]}, ("whatsapp_business_manage_events (270)", "generate one")),
        (
            {"scopes": []},
            ("lacks a permission for WhatsApp account 100000000000001 (200)", "whatsapp_business_management"),
        ),
        ({"assets": []}, ("not assigned to the token's system user (100/33)", "System users")),
        (None, ("is refused by Meta (190)", "generate one for a system user")),
    ],
)
@pytest.mark.parametrize("command", ["create", "show"])
def test_a_refusal_is_told_with_its_remedy_and_stores_nothing(
    tell: Tell,
    run: Run,
    shop: str,
    sandbox: Sandbox,
    at_graph: dict[str, str],
    token: Any,
    words: tuple[str, str],
    command: str,
) -> None:
    sandbox.state(tokens={"EAAhunter2hunter2hunter2": token} if token is not None else {})
    connect(tell, shop, token="EAAhunter2hunter2hunter2")
    result = run("dataset", command, shop, "whatsapp", env=at_graph)
    assert (result.exit_code, result.stdout) == (1, "")
    for word in words:
        assert word in result.stderr
    assert "hunter2" not in result.output
    assert channel_of(tell, shop)["dataset_id"] is None


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"kind": "html500"}, "HTTP 500"),
        ({"kind": "throttle"}, "ask again in some minutes"),
        ({"kind": "status", "status": 400, "code": 100}, "(100)"),
    ],
)
def test_an_answer_that_is_none_is_said(
    tell: Tell, run: Run, shop: str, sandbox: Sandbox, at_graph: dict[str, str], fault: dict[str, Any], word: str
) -> None:
    connect(tell, shop)
    sandbox.faults({"via": "graph"} | fault)
    result = run("dataset", "create", shop, "whatsapp", env=at_graph)
    assert result.exit_code == 1
    assert word in result.stderr
    assert channel_of(tell, shop)["dataset_id"] is None


def test_a_graph_that_is_not_there_is_said(tell: Tell, run: Run, shop: str, free_port: int) -> None:
    connect(tell, shop)
    result = run("dataset", "show", shop, "whatsapp", env={"COLLECTOR_GRAPH_URL": f"http://127.0.0.1:{free_port}"})
    assert result.exit_code == 1
    assert "Graph cannot be reached" in result.stderr


def test_a_website_has_no_such_edge(run: Run, shop: str) -> None:
    for command in ("create", "show"):
        result = run("dataset", command, shop, "website")
        assert result.exit_code == 2
        assert f"Events Manager; name it here: collector channel set {shop} website --dataset-id" in result.stderr


def test_a_channel_that_is_not_set_has_no_dataset(run: Run, shop: str) -> None:
    result = run("dataset", "create", shop, "messenger")
    assert (result.exit_code, result.stderr) == (1, f"Error: business {shop} has no channel messenger\n")


def test_a_token_that_does_not_open_is_said(tell: Tell, run: Run, shop: str, tmp_path: Path) -> None:
    connect(tell, shop)
    (tmp_path / "data" / "keys").unlink()
    result = run("dataset", "show", shop, "whatsapp")
    assert result.exit_code == 1
    assert "the stored token does not open" in result.stderr
    assert f"collector channel set {shop} whatsapp --waba-id 100000000000001 < token.txt" in result.stderr
