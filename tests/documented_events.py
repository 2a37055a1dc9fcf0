"""The golden pairs of the events API as a page: docs/events.md between its marks.

python -m tests.documented_events     # writes them into the page
"""

import json
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "events.md"
BEGIN, END = "<!-- pairs: written by `python -m tests.documented_events` -->\n", "<!-- end of pairs -->"
CHANNELS: Final = {"whatsapp": "WhatsApp", "messenger": "Messenger", "instagram": "Instagram", "website": "The website"}


def pairs(channel: str) -> list[dict[str, Any]]:
    """The pairs of a channel: title, item, what Meta gets, and where they matter the call's other fields and the business's policy."""
    found: list[dict[str, Any]] = json.loads((ROOT / "tests" / "golden" / "events" / f"{channel}.json").read_text())
    return found


def rendered() -> str:
    """All pairs, in the order of the channels."""
    parts = []
    for channel, name in CHANNELS.items():
        parts.append(f"### {name}\n")
        parts += [_rendered(pair) for pair in pairs(channel)]
    return "\n".join(parts)


def _rendered(pair: dict[str, Any]) -> str:
    call = f"Call: `{json.dumps(pair['call'])}`\n\n" if "call" in pair else ""
    blocks = "".join(
        f"```json\n{json.dumps(pair[side], indent=1, ensure_ascii=False)}\n```\n" for side in ("item", "sent")
    )
    posted, _, sent = blocks.partition("```\n```json\n")
    return f"<details><summary>{_html(pair['title'])}</summary>\n\n{call}{posted}```\nMeta gets\n```json\n{sent}</details>\n"


def _html(title: str) -> str:
    """A summary is HTML: code marks become tags."""
    for tag in ("<code>", "</code>") * title.count("`"):
        title = title.replace("`", tag, 1)
    return title


def page(text: str) -> str:
    """The page with today's pairs between its marks."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{rendered()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
