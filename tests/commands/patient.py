"""A business to be examined: its channels, all of the sandbox, and what the doctor says of it."""

from collections.abc import Callable
from typing import Any

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


def faulty(checks: Checks) -> set[str]:
    """What is not simply ok."""
    return {name for name, each in checks.items() if each["status"] != "ok"}


def teach(sandbox: Sandbox, tell: Callable[..., Any], business: str, *channels: tuple[str, ...], **token: Any) -> None:
    """Give these channels a token of this kind."""
    sandbox.state(tokens={"hunter2-token": token}).raise_for_status()
    for channel in channels:
        tell("channel", "set", business, *channel, stdin="hunter2-token")
