"""The golden pairs as pages: docs/events.md and docs/website.md between their marks.

python -m tests.documented_events     # writes them into the pages
"""

import json
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- pairs: written by `python -m tests.documented_events` -->\n", "<!-- end of pairs -->"
CHANNELS: Final = {"whatsapp": "WhatsApp", "messenger": "Messenger", "instagram": "Instagram", "website": "The website"}


def pairs(name: str) -> list[dict[str, Any]]:
    """The pairs of a channel, or of the `shop`: title, item, what Meta gets; where they matter the call's other fields, the landing
    before it and the business's policy."""
    found: list[dict[str, Any]] = json.loads((ROOT / "tests" / "golden" / "events" / f"{name}.json").read_text())
    return found


def pages() -> dict[Path, str]:
    """Each page with today's pairs between its marks."""
    events = "\n".join(f"### {name}\n\n{_rendered(channel)}" for channel, name in CHANNELS.items())
    parts = {"events": events, "website": _rendered("shop")}
    return {
        path: _page(path.read_text(), parts[path.stem]) for path in (ROOT / "docs" / f"{name}.md" for name in parts)
    }


def _page(text: str, part: str) -> str:
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{part}{END}{tail}"


def _rendered(name: str) -> str:
    return "\n".join(map(_pair, pairs(name)))


def _pair(pair: dict[str, Any]) -> str:
    steps = {
        "landing": "The landing\n",
        "call": "Beside `events`, and at Meta beside `data`\n",
        "item": "",
        "sent": "Meta gets\n",
    }
    if len(pair.keys() & steps) > 2:
        steps["item"] = "The call\n" if "landing" in pair else "The event\n"
    blocks = "".join(
        f"{told}```json\n{json.dumps(pair[step], indent=1, ensure_ascii=False)}\n```\n"
        for step, told in steps.items()
        if step in pair
    )
    return f"<details><summary>{_html(pair['title'])}</summary>\n\n{blocks}</details>\n"


def _html(title: str) -> str:
    """A summary is HTML: code marks become tags."""
    for tag in ("<code>", "</code>") * title.count("`"):
        title = title.replace("`", tag, 1)
    return title


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
