"""Where a business's events go: its channels, their datasets, and the access tokens that channels share. Every rule on those values is here."""

import re

import msgspec

from collector.directory import credential_context, onboarding
from collector.errors import InvalidField, NotFound
from collector.event import Channel
from collector.store import face
from collector.vault import Vault

ASSETS: dict[str, str | None] = {
    "whatsapp": "waba_id",
    "messenger": "page_id",
    "instagram": "ig_account_id",
    "website": None,
}
"""What Meta calls the asset behind each channel; a website has its dataset alone."""


async def set_channel(
    store: face.Directory,
    vault: Vault,
    *,
    business_id: str,
    channel: Channel,
    asset_id: str | None,
    dataset_id: str | None,
    now: int,
    token: str = "",
    credential: str | None = None,
) -> face.ChannelRow:
    """Store where a channel's events go, with a token of its own, sealed, or the name of a shared one; releases what the channel held.

    Without `dataset_id` the dataset is what is known of the asset, from this channel or another; where nothing is, the channel waits for
    `set_dataset`. Raises `InvalidField`, `NotFound`.
    """
    snapshot = await store.snapshot()
    onboarding.find_business(snapshot.businesses, business_id)
    asset = ASSETS[channel]
    if asset is None and asset_id is not None:
        raise InvalidField("website", "has a dataset alone")
    if asset is not None:
        _check_id(asset, asset_id, channel)
    if asset is None or dataset_id is not None:
        _check_id("dataset_id", dataset_id, channel)
    if credential is not None and all(each.name != credential for each in snapshot.credentials):
        raise NotFound(f"there is no credential {credential}; store it first: collector credential set {credential}")
    row = face.ChannelRow(
        business_id=business_id,
        channel=channel,
        asset_id=asset_id,
        dataset_id=dataset_id or _known_dataset(snapshot, business_id, channel, asset_id),
        sealed_token=None if credential else vault.seal(_checked_token(token), (business_id, channel)),
        credential=credential,
        updated_at=now,
    )
    _check_dataset(row, snapshot)
    await store.put_channel(row)
    return row


async def set_destination(
    store: face.Directory, vault: Vault, *, business_id: str, connectly_business_id: str | None, token: str, now: int
) -> face.BusinessRow:
    """Send a business's events through Connectly, with its account there and API key; to Meta itself where the id is None."""
    business = onboarding.find_business((await store.snapshot()).businesses, business_id)
    if connectly_business_id is None:
        return await onboarding.change_business(store, business_id, destination="meta")
    onboarding.checked(msgspec.structs.replace(business, destination="connectly"))  # before anything is stored
    account = onboarding.checked_uuid("connectly_business_id", connectly_business_id)
    sealed = vault.seal(_checked_token(token), (business_id, "connectly"))
    await store.put_channel(
        face.ChannelRow(
            business_id=business_id,
            channel="connectly",
            asset_id=account,
            dataset_id=None,
            sealed_token=sealed,
            updated_at=now,
        )
    )
    return await onboarding.change_business(store, business_id, destination="connectly")


def find_channel(snapshot: face.DirectorySnapshot, business_id: str, channel: str) -> face.ChannelRow:
    """The channel of this business. Raises `NotFound`."""
    onboarding.find_business(snapshot.businesses, business_id)
    for row in snapshot.channels:
        if (row.business_id, row.channel) == (business_id, channel):
            return row
    raise NotFound(f"business {business_id} has no channel {channel}", "channel_lookup")


# ------------------------------------------------------------------ datasets


async def set_dataset(store: face.Directory, row: face.ChannelRow, dataset_id: str, now: int) -> list[face.ChannelRow]:
    """Store the dataset that Meta named for a channel's asset; releases what the channel held.

    An asset has one dataset: its other channels that have none yet, of any business, get it too. Gives the rows that changed, none where all
    stood so already. Raises `InvalidField`, and `NotFound` where the channel has got another asset meanwhile.
    """
    _check_id("dataset_id", dataset_id, row.channel)
    snapshot = await store.snapshot()
    named = find_channel(snapshot, row.business_id, row.channel)
    if named.asset_id != row.asset_id:
        raise NotFound(f"{row.channel} of business {row.business_id} has got another account meanwhile: ask again")
    _check_dataset(msgspec.structs.replace(named, dataset_id=dataset_id), snapshot)
    rows = [
        msgspec.structs.replace(each, dataset_id=dataset_id, held=None, updated_at=now)
        for each in _sharing(snapshot, row.channel, row.asset_id)
        if each.dataset_id is None or (each == named and each.dataset_id != dataset_id)
    ]
    for each in rows:
        await store.put_channel(each)
    return rows


def _sharing(snapshot: face.DirectorySnapshot, channel: str, asset_id: str | None) -> list[face.ChannelRow]:
    """The channels on one asset; a website has none to share."""
    return [row for row in snapshot.channels if asset_id and (row.channel, row.asset_id) == (channel, asset_id)]


def _known_dataset(
    snapshot: face.DirectorySnapshot, business_id: str, channel: str, asset_id: str | None
) -> str | None:
    known = {row.business_id: row.dataset_id for row in _sharing(snapshot, channel, asset_id) if row.dataset_id}
    return known.get(business_id) or next(iter(known.values()), None)


def _check_dataset(row: face.ChannelRow, snapshot: face.DirectorySnapshot) -> None:
    """A dataset belongs to one asset of a kind: Meta refuses the events of any other. Raises `InvalidField`."""
    for other in snapshot.channels:
        strange = (
            other.channel == row.channel and other.asset_id != row.asset_id and other.business_id != row.business_id
        )
        if strange and row.dataset_id is not None and other.dataset_id == row.dataset_id:
            raise InvalidField(
                "dataset_id",
                f"{row.dataset_id} is the dataset of {row.channel} account {other.asset_id} (business {other.business_id}), and an account "
                f"has one of its own; ask Meta for that of {row.asset_id}: collector dataset create {row.business_id} {row.channel}",
            )


def _check_id(field: str, value: str | None, channel: str) -> None:
    if not re.fullmatch(r"[0-9]{5,20}", value or ""):
        raise InvalidField(field, f"must be Meta's id, 5 to 20 digits ({channel} needs it)")


# ------------------------------------------------------------------ shared tokens


async def set_credential(
    store: face.Directory, vault: Vault, *, name: str, token: str, now: int
) -> tuple[face.ChannelRow, ...]:
    """Store a token that channels name, or replace it; releases what they held. Gives those that use it. Raises `InvalidField`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InvalidField("credential", "must be a name of 1 to 64 letters, digits, dots, hyphens and underscores")
    sealed = vault.seal(_checked_token(token), credential_context(name))
    await store.put_credential(face.CredentialRow(name=name, sealed_token=sealed, updated_at=now))
    return users(await store.snapshot(), name)


def users(snapshot: face.DirectorySnapshot, name: str) -> tuple[face.ChannelRow, ...]:
    """The channels that use a shared token."""
    return tuple(row for row in snapshot.channels if row.credential == name)


def _checked_token(token: str) -> str:
    """The token goes into a header: printable ASCII without spaces. The message never repeats it."""
    if not re.fullmatch(r"[!-~]{1,4096}", token):
        raise InvalidField("token", "must be 1 to 4096 visible ASCII characters")
    return token
