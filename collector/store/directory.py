"""The Directory over any engine."""

from collector.store import columns, face
from collector.store.engine import Engine, Params, Rows, Step
from collector.store.ledger import read
from collector.store.outbox import CHUNK, lane_range, move
from collector.store.writer import Writer


def _if_any(found: list[Rows]) -> Params | None:
    """Run the step only where the one before it changed something."""
    return {} if found[-1] else None


class SqlDirectory:
    """face.Directory on an engine. Its changes are rare: each is a commit of its own."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    async def version(self) -> int:
        """See face.Directory.version."""
        return int((await read(self._engine, "version"))[0][0])

    async def editions(self) -> tuple[int, int]:
        """See face.Directory.editions."""
        [(version, holds)] = await read(self._engine, "editions")
        return version, holds

    async def held(self) -> face.HeldChannels:
        """See face.Directory.held."""
        rows = await read(self._engine, "held_channels")
        reasons = {(row[2], row[3]): row[4] for row in rows if row[2] is not None}
        return face.HeldChannels(version=rows[0][0], holds=rows[0][1], reasons=reasons)

    async def snapshot(self) -> face.DirectorySnapshot:
        """See face.Directory.snapshot."""
        steps = [Step("editions"), Step("businesses"), Step("channels"), Step("api_keys"), Step("credentials")]
        editions, businesses, channels, keys, credentials = await self._writer.transact(steps, exclusive=True)
        return face.DirectorySnapshot(
            version=editions[0][0],
            holds=editions[0][1],
            businesses=tuple(map(columns.stored_business, businesses)),
            channels=tuple(map(columns.stored_channel, channels)),
            keys=tuple(map(columns.stored_key, keys)),
            credentials=tuple(map(columns.stored_credential, credentials)),
        )

    async def put_business(self, row: face.BusinessRow) -> bool:
        """See face.Directory.put_business."""
        put = Step("put_business", {"rows": [columns.business(row)]})
        return bool((await self._writer.transact([put, Step("raise_version", _if_any)], exclusive=True))[0])

    async def put_credential(self, row: face.CredentialRow) -> None:
        """See face.Directory.put_credential."""
        put = Step("put_credential", {"rows": [columns.credential(row)]})
        run = Step("run_credential", {"credential": row.name})
        _, users, _ = await self._writer.transact([put, run, Step("raise_version")], exclusive=True)
        for business_id, channel in users:
            resume = {"business_id": business_id, "limit": CHUNK, **lane_range(f"meta:{business_id}:{channel}:")}
            await move(self._writer, [], Step("resume", resume))

    async def put_channel(self, row: face.ChannelRow) -> None:
        """See face.Directory.put_channel."""
        put = Step("put_channel", {"rows": [columns.channel(row)]})
        prefix = (
            f"connectly:{row.business_id}:" if row.channel == "connectly" else f"meta:{row.business_id}:{row.channel}:"
        )
        resume = Step("resume", {"business_id": row.business_id, "limit": CHUNK, **lane_range(prefix)})
        await move(self._writer, [put, Step("raise_version")], resume)

    async def put_key(self, row: face.KeyRow) -> None:
        """See face.Directory.put_key."""
        put = Step("put_key", {"rows": [columns.key(row)]})
        await self._writer.transact([put, Step("raise_version")], exclusive=True)

    async def revoke_key(self, business_id: str, key_id: str, at: int) -> bool:
        """See face.Directory.revoke_key."""
        revoke = Step("revoke_key", {"business_id": business_id, "key_id": key_id, "at": at})
        return bool((await self._writer.transact([revoke, Step("raise_version", _if_any)], exclusive=True))[0])
