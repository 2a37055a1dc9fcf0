"""What people install holds everything that runs: code, SQL, templates and the built snippet, and nothing of the workshop."""

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (found,) = directory.glob("collector-*-py3-none-any.whl")
    return found


def tracked(*paths: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, check=True)
    return {name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_holds_every_file_of_the_package_and_the_built_snippet(wheel: Path) -> None:
    snippet = {name.replace("snippet/dist/", "collector/_snippet/") for name in tracked("snippet/dist")}
    expected = tracked("collector") | snippet
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert expected - packed == set()
    for kind in (".sql", ".html", ".js", "py.typed"):
        assert any(name.endswith(kind) for name in expected), f"the package has no {kind} any more"


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    rooms = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {room for room in rooms if not room.endswith(".dist-info")} == {"collector"}


def test_the_wheel_brings_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        entry_points = ConfigParser()
        entry_points.read_string(archive.read(name).decode())
    assert entry_points["console_scripts"]["collector"] == "collector.commands:main"


def test_the_installed_package_finds_its_snippet_and_the_checkout_its_own(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    for place, expected in ((tmp_path, tmp_path / "collector" / "_snippet"), (ROOT, ROOT / "snippet" / "dist")):
        program = f"import sys; sys.path.insert(0, {str(place)!r})\n"
        program += "from collector.snippet_files import snippet_directory as d; print(d())"
        ended = subprocess.run([sys.executable, "-c", program], cwd=place, capture_output=True, text=True, check=False)
        assert ended.stdout.strip() == str(expected), ended.stderr
