"""A short campaign of kills on either database; `make crash` runs the long ones."""

from pathlib import Path

import pytest

from tests.integration.campaign import campaign
from tests.integration.conftest import Build


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_was_acknowledged_between_kills_arrives(
    build: Build, request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    dsn = request.getfixturevalue("postgres_dsn") if engine == "postgres" else ""
    verdict = campaign(build(database_url=dsn, wait_seconds="0.2"), 4, 7, tmp_path, hurry=True)
    assert (verdict.lost, verdict.two_ids, verdict.unexplained) == ([], [], [])
    assert verdict.acknowledged > 0
    assert len(verdict.kills_at) == 4
