"""Keys and encryption: one list of master keys, a labelled sub-key for each purpose, sealed texts.

Master keys are 256 random bits each, newest last. The newest signs and seals; all of them verify and open, so rotation breaks
nothing. The oldest names landings (ref) and must therefore stay first in the list for ever.
"""

import base64
import binascii
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from collector.errors import CollectorError, SettingsError

KEY_BYTES = 32
NONCE_BYTES = 12
FILE_NAME = "keys"
HEADER = "# Master keys of this collector, newest last. Keep them secret, keep a copy, keep the first line first.\n"

Random = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `os.urandom` outside tests."""


class CannotOpen(CollectorError):
    """A sealed text stays shut: its key is missing here, it was altered, or it was sealed for something else."""


def decode_key(text: str) -> bytes:
    """One master key from its base64url text (padding optional). Raises ValueError where it is not 256 random-looking bits."""
    try:
        key = base64.b64decode(_padded(text.strip().rstrip("=")), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a key must be base64url") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key must be {KEY_BYTES} bytes in base64url (43 characters); one is {len(key)}")
    if len(set(key)) < KEY_BYTES // 2:  # random bytes repeat less: a placeholder
        raise ValueError("a key must be random; one looks like a placeholder")
    return key


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def encode_key(key: bytes) -> str:
    """The text form that `decode_key` reads."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def _subkey(master: bytes, label: str, length: int = KEY_BYTES) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"collector:" + label.encode()).derive(master)


class Vault:
    """Sub-keys of the master keys, and texts sealed with them. Pure, but for `reload`, which reads the keys again."""

    def __init__(
        self, keys: Sequence[bytes], random: Random, reload: Callable[[], Sequence[bytes]] | None = None
    ) -> None:
        self._random = random
        self._reload = reload
        self._use(keys)

    def _use(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        self._keys = tuple(keys)
        self._sealing = {_key_id(key): AESGCM(_subkey(key, "seal")) for key in keys}

    def signing_keys(self) -> list[bytes]:
        """Keys that sign attribution tokens, newest last (itsdangerous' order)."""
        return [_subkey(key, "token") for key in self._keys]

    def ref_key(self) -> bytes:
        """The key that names landings. It comes from the oldest master key: a rotation gives no landing a second name."""
        return _subkey(self._keys[0], "ref")

    def seal(self, text: str, context: tuple[str, ...]) -> str:
        """Encrypt a text so that it opens for the same context only (business id, channel). AES-256-GCM; the key's id comes first."""
        key_id = _key_id(self._keys[-1])
        nonce = self._random(NONCE_BYTES)
        box = self._sealing[key_id].encrypt(nonce, text.encode(), _bound(context))
        return f"{key_id}.{encode_key(nonce + box)}"

    def open(self, sealed: str, context: tuple[str, ...]) -> str:
        """The sealed text. Raises `CannotOpen`, which says whether a key is missing; the message holds nothing secret."""
        key_id, _, text = sealed.partition(".")
        if key_id not in self._sealing and self._reload is not None:
            self._use(self._reload())  # rotated since we started: a command beside us sealed with the new key
        if key_id not in self._sealing:
            raise CannotOpen(
                f"sealed with the key {key_id!r}, which is not among the {len(self._keys)} keys of this collector"
            )
        try:
            box = base64.urlsafe_b64decode(_padded(text))
            return self._sealing[key_id].decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound(context)).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen(f"altered, or not sealed for {'/'.join(context)}") from None


def _key_id(key: bytes) -> str:
    return encode_key(_subkey(key, "id", 6))


def _bound(context: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(context)  # unlike a joined string, ("a", "bc") and ("ab", "c") differ


# ------------------------------------------------------------------ the key file


def open_vault(data_dir: Path, secret_keys: Sequence[bytes], random: Random = os.urandom) -> Vault:
    """The vault of these keys, or of the file `keys` in the data directory where there are none; the first start makes that file.

    Raises `SettingsError` where the file cannot be used.
    """
    if secret_keys:
        return Vault(secret_keys, random)
    path = data_dir / FILE_NAME
    if not path.exists():
        with _locked(data_dir):
            if not path.exists():
                _write(path, [random(KEY_BYTES)])
    return Vault(read_keys(path), random, reload=lambda: read_keys(path))


def read_keys(path: Path) -> list[bytes]:
    """The keys of a key file, newest last. Raises `SettingsError` where others than its owner may read it, or a line is no key."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise SettingsError([f"{path}: open to others (mode {mode:04o}); run: chmod 600 {path}"])
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not a text file'}"]
        ) from None
    keys, problems = [], []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(decode_key(line))
            except ValueError as error:
                problems.append(f"{path}, line {number}: {error}")
    if problems or not keys:
        raise SettingsError(problems or [f"{path}: holds no key; restore it, or remove it to start over with new keys"])
    return keys


def rotate(data_dir: Path, random: Random = os.urandom) -> int:
    """Append a new key to the key file and return how many it holds now. Serving processes use it after a restart."""
    path = data_dir / FILE_NAME
    with _locked(data_dir):
        keys = [*(read_keys(path) if path.exists() else [random(KEY_BYTES)]), random(KEY_BYTES)]
        _write(path, keys)
    return len(keys)


@contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Alone among processes, so that two first starts or rotations cannot lose a key."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir, os.O_RDONLY)
    except OSError as error:
        raise SettingsError([f"COLLECTOR_DATA_DIR: {data_dir} cannot be used: {error.strerror}"]) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)  # a renamed file is there for good only then
    finally:
        os.close(descriptor)


def _write(path: Path, keys: Sequence[bytes]) -> None:
    """Replace the file whole: a crash leaves the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(HEADER + "".join(encode_key(key) + "\n" for key in keys))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise SettingsError([f"COLLECTOR_DATA_DIR: {path} cannot be written: {error.strerror}"]) from None
