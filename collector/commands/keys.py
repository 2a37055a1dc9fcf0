"""`collector keys`: the master keys of this collector."""

import os

import click

from collector.commands import Failed
from collector.commands.printing import answer, json_option
from collector.settings import load


@click.group("keys")
def keys_command() -> None:
    """Look after the keys that sign cookies and seal tokens."""


@keys_command.command("rotate")
@json_option
def rotate(as_json: bool) -> None:
    """Add a new master key. Cookies and stored tokens of the older keys stay good.

    Restart the serving processes afterwards: they sign with the new key from then on.
    """
    from collector import vault  # brings the cryptography library

    settings = load(os.environ)
    if settings.secret_keys:
        raise Failed("COLLECTOR_SECRET_KEYS holds the keys: append a new one there (openssl rand -base64 32)")
    count = vault.rotate(settings.data_dir)
    path = settings.data_dir / vault.FILE_NAME
    answer(as_json, {"keys": count, "file": str(path)}, f"{path} holds {count} keys; restart what serves")
