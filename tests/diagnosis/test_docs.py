"""docs/doctor.md lists every check there is, in its order."""

import re
from pathlib import Path

from collector.diagnosis import diagnose
from tests.diagnosis.facts import facts

DOCS = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"


def test_every_check_is_documented_in_its_order() -> None:
    part, documented = "", []
    for line in DOCS.read_text().splitlines():
        if row := re.match(r"\| ([a-z ]*) ?\| `([a-z]+)` \|", line):
            part = row[1].strip() or part
            documented.append((part, row[2]))
    known = [(each.part, each.check) for each in diagnose(facts())]
    assert documented == [("each channel" if part == "whatsapp" else part, check) for part, check in known]
