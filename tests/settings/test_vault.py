"""The vault: the key file, sub-keys by purpose, rotation, sealed texts."""

import base64
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from itsdangerous import BadSignature, TimestampSigner

from collector.errors import SettingsError
from collector.vault import CannotOpen, Vault, decode_key, encode_key, open_vault, read_keys, rotate

CONTEXT = ("business-1", "whatsapp")
TOKEN = "EAAB-a-very-secret-token"


def chance() -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    numbers = count()
    return lambda length: sha256(str(next(numbers)).encode()).digest()[:length]


def key(number: int) -> bytes:
    return sha256(f"key {number}".encode()).digest()


def vault(*numbers: int) -> Vault:
    return Vault([key(number) for number in numbers], chance())


def problem(work: Callable[[], object]) -> str:
    with pytest.raises(SettingsError) as caught:
        work()
    return "\n".join(caught.value.problems)


# ------------------------------------------------------------------ sub-keys


def test_each_purpose_has_a_key_of_its_own() -> None:
    one = vault(1)
    assert len({key(1), one.ref_key(), *one.signing_keys()}) == 3
    assert all(len(each) == 32 for each in (one.ref_key(), *one.signing_keys()))


def test_sub_keys_follow_from_the_master_key_alone() -> None:
    assert vault(1).signing_keys() == vault(1).signing_keys()
    assert vault(1).ref_key() == vault(1).ref_key()
    assert vault(1).ref_key() != vault(2).ref_key()


def test_rotation_signs_with_the_new_key_and_keeps_old_tokens() -> None:
    before, after, elsewhere = vault(1), vault(1, 2), vault(2)
    old = TimestampSigner(before.signing_keys()).sign("ids")
    new = TimestampSigner(after.signing_keys()).sign("ids")
    assert TimestampSigner(after.signing_keys()).unsign(old) == b"ids"
    assert TimestampSigner(elsewhere.signing_keys()).unsign(new) == b"ids"
    with pytest.raises(BadSignature):
        TimestampSigner(elsewhere.signing_keys()).unsign(old)


def test_rotation_does_not_rename_landings() -> None:
    assert vault(1, 2, 3).ref_key() == vault(1).ref_key()


def test_a_key_listed_again_at_the_end_still_signs_while_the_new_one_is_understood() -> None:
    staged = TimestampSigner(vault(1, 2, 1).signing_keys())
    assert TimestampSigner(vault(1).signing_keys()).unsign(staged.sign("ids")) == b"ids"
    assert staged.unsign(TimestampSigner(vault(1, 2).signing_keys()).sign("ids")) == b"ids"
    assert vault(1, 2, 1).ref_key() == vault(1).ref_key()


# ------------------------------------------------------------------ sealed texts


def test_a_sealed_text_opens_and_shows_nothing() -> None:
    sealed = vault(1).seal(TOKEN, CONTEXT)
    assert vault(1).open(sealed, CONTEXT) == TOKEN
    assert TOKEN not in sealed
    assert TOKEN.encode() not in base64.urlsafe_b64decode(sealed.partition(".")[2] + "==")


def test_the_same_text_is_sealed_differently_each_time() -> None:
    one = vault(1)
    assert one.seal(TOKEN, CONTEXT) != one.seal(TOKEN, CONTEXT)


@pytest.mark.parametrize(
    "context",
    [("business-2", "whatsapp"), ("business-1", "website"), ("business-1",), ("business-1w", "hatsapp"), ()],
)
def test_a_sealed_text_moved_elsewhere_is_refused(context: tuple[str, ...]) -> None:
    with pytest.raises(CannotOpen):
        vault(1).open(vault(1).seal(TOKEN, CONTEXT), context)


def test_a_sealed_text_altered_anywhere_is_refused() -> None:
    one = vault(1)
    sealed = one.seal(TOKEN, CONTEXT)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    opened = []
    for place in range(len(sealed) - 1):  # the last character carries unused bits
        for other in (alphabet[(alphabet.index(sealed[place]) + step) % len(alphabet)] for step in (1, 17)):
            try:
                opened.append(one.open(sealed[:place] + other + sealed[place + 1 :], CONTEXT))
            except CannotOpen:
                continue
    assert opened == []


@pytest.mark.parametrize("sealed", ["", ".", "x", "a.b.c", "a" * 10_000, "é.é", "\ud800", " ", "\x00.\x00"])
def test_garbage_is_refused_as_such(sealed: str) -> None:
    with pytest.raises(CannotOpen):
        vault(1).open(sealed, CONTEXT)


def test_old_keys_still_open_and_the_newest_seals() -> None:
    sealed = vault(1).seal(TOKEN, CONTEXT)
    assert vault(1, 2).open(sealed, CONTEXT) == TOKEN
    assert vault(2).open(vault(1, 2).seal(TOKEN, CONTEXT), CONTEXT) == TOKEN


def test_a_missing_key_is_called_missing_and_nothing_secret_is_told() -> None:
    sealed = vault(1).seal(TOKEN, CONTEXT)
    with pytest.raises(CannotOpen, match="not among the 1 keys") as caught:
        vault(2).open(sealed, CONTEXT)
    assert TOKEN not in str(caught.value)
    assert encode_key(key(1)) not in str(caught.value)


def test_keys_do_not_show_in_the_representation() -> None:
    shown = repr(vault(1))
    assert encode_key(key(1)) not in shown
    assert repr(key(1)) not in shown


# ------------------------------------------------------------------ the key file


def test_the_first_start_makes_a_key_file_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_vault(tmp_path / "new" / "data", (), chance())
    finally:
        os.umask(before)
    file = tmp_path / "new" / "data" / "keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(read_keys(file)) == 1
    assert [each.name for each in file.parent.iterdir()] == ["keys"]


def test_a_second_start_uses_the_same_keys(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path, (), os.urandom).seal(TOKEN, CONTEXT)
    assert open_vault(tmp_path, (), os.urandom).open(sealed, CONTEXT) == TOKEN


def test_keys_from_the_environment_leave_no_file(tmp_path: Path) -> None:
    opened = open_vault(tmp_path, (key(1),), chance())
    assert opened.ref_key() == vault(1).ref_key()
    assert list(tmp_path.iterdir()) == []


def test_first_starts_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = {opened.ref_key() for opened in pool.map(lambda _: open_vault(tmp_path / "data", ()), range(8))}
    assert len(refs) == 1


def test_rotations_at_the_same_time_lose_no_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rotate(tmp_path), range(8)))
    keys = read_keys(tmp_path / "keys")
    assert len(set(keys)) == len(keys) == 9


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_key_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    open_vault(tmp_path, (), chance())
    (tmp_path / "keys").chmod(mode)
    told = problem(lambda: open_vault(tmp_path, (), chance()))
    assert f"mode {mode:04o}" in told
    assert f"chmod 600 {tmp_path / 'keys'}" in told
    problem(lambda: rotate(tmp_path, chance()))


def test_rotation_appends_and_keeps_the_mode(tmp_path: Path) -> None:
    random = chance()
    first = open_vault(tmp_path, (), random)
    sealed = first.seal(TOKEN, CONTEXT)
    assert rotate(tmp_path, random) == 2
    after = open_vault(tmp_path, (), random)
    assert after.open(sealed, CONTEXT) == TOKEN
    assert after.ref_key() == first.ref_key()
    assert after.signing_keys()[0] == first.signing_keys()[0]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_a_running_vault_opens_what_was_sealed_after_a_rotation_beside_it(tmp_path: Path) -> None:
    running = open_vault(tmp_path, ())
    rotate(tmp_path)
    assert running.open(open_vault(tmp_path, ()).seal(TOKEN, CONTEXT), CONTEXT) == TOKEN


def test_a_rotation_after_a_crashed_one_succeeds(tmp_path: Path) -> None:
    open_vault(tmp_path, ())
    (tmp_path / "keys.new").write_text("half a line")
    assert rotate(tmp_path) == 2


@pytest.mark.parametrize("content", [b"", b"# nothing here\n\n"])
def test_an_emptied_key_file_is_never_filled_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    (tmp_path / "keys").chmod(0o600)
    assert "holds no key" in problem(lambda: open_vault(tmp_path, (), chance()))
    assert (tmp_path / "keys").read_bytes() == content


def test_a_bad_line_is_named_by_number_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{encode_key(key(1))}\nhunter2\n")
    file.chmod(0o600)
    told = problem(lambda: read_keys(file))
    assert f"{file}, line 2: " in told
    assert "hunter2" not in told


def test_a_key_file_of_bytes_or_a_directory_in_its_place_is_a_settings_problem(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "keys").write_bytes(b"\xff\xfe")
    (tmp_path / "a" / "keys").chmod(0o600)
    assert "cannot be read" in problem(lambda: open_vault(tmp_path / "a", ()))
    (tmp_path / "b" / "keys").mkdir(parents=True)
    assert "cannot be read" in problem(lambda: open_vault(tmp_path / "b", ()))


def test_a_data_directory_that_cannot_be_made_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "COLLECTOR_DATA_DIR" in problem(lambda: open_vault(tmp_path / "file" / "data", ()))


def test_padding_and_the_plain_base64_alphabet_are_read_too() -> None:
    raw = bytes(range(223, 255))
    assert decode_key(base64.b64encode(raw).decode()) == decode_key(f" {encode_key(raw)}\n") == raw
