"""A statement that PostgreSQL keeps as a function: a whole commit in one round trip."""

import hashlib
from typing import Any

from collector.store.engine import Statement, for_postgres


class Function:
    """A statement as a function of its schema, which begins the transaction and is all of it.

    The name tells the text: a later release has its own beside it, and both can serve from one database. `call` is given the version of
    the directory that is relied on, or None, and then what `engine.marked` makes of the rows.
    """

    def __init__(self, name: str, statement: Statement) -> None:
        self._alone, _ = for_postgres(statement)
        self._text, _ = for_postgres(statement, first=2)  # behind the version
        self._name = f"{name}_{hashlib.sha256(self._text.encode()).hexdigest()[:12]}"
        self._count = len(statement.columns) + 2
        values = ", ".join(f"${place}" for place in range(1, self._count + 2))
        self.call = f"SELECT * FROM {self._name}({values})"  # noqa: S608  # all of it is ours

    async def create(self, connection: Any) -> None:
        """Its columns are those of the statement now: a type of the schema's own could not change while an older release has its function."""
        prepared = await connection.prepare(self._alone)
        columns = ", ".join(f"c{place} {each.type.name}" for place, each in enumerate(prepared.get_attributes()))
        await connection.execute(f"""
            CREATE OR REPLACE FUNCTION {self._name}(expected BIGINT{", TEXT" * self._count})
            RETURNS TABLE ({columns}) LANGUAGE plpgsql AS $body$
            #variable_conflict use_column
            BEGIN
                PERFORM begin_write(FALSE, expected);
                RETURN QUERY {self._text};
            END
            $body$
        """)
