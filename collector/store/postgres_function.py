"""Statements that PostgreSQL keeps as a function: a whole commit in one round trip."""

import hashlib
from collections.abc import Sequence
from typing import Any

from collector.store.engine import Statement, for_postgres, marked, with_each


class Function:
    """Statements as a function of the schema, which begins the transaction and is all of it. What the last of them finds is its answer.

    The rows come as one text, which is split once; each statement takes from it the columns that it needs. (An array that a function's
    variable holds is no list to be walked: each value is at hand.) `:count` is how many rows there are; what a statement puts INTO `won` is
    `:won` in those behind it.

    The planner takes a series for 1000 rows, and reads a table of some thousand whole when it is `joined` with them. Then the series is made a
    list first, which it takes for ten; small commits of inserts were a tenth slower with it, and need no such thing.

    The name tells the text: a later release has its own beside it, and both can serve from one database. (Its columns are those of the
    statement: a type of the schema's own could not change while an older release has its function.)
    """

    def __init__(self, name: str, statement: Statement, joined: bool) -> None:
        self._columns = statement.columns
        names = [name for name, _ in statement.columns]
        values = (f"CAST(given[place + count * {nth}] AS {kind})" for nth, (_, kind) in enumerate(statement.columns))
        places = "unnest(ARRAY(SELECT generate_series(1, count)))" if joined else "generate_series(1, count)"
        each = f"SELECT {', '.join(values)} FROM {places} AS place"  # noqa: S608  # all of it is ours
        *first, last = statement.text.split(";\n")
        parts = [with_each(names, each, part) for part in (*first, f"{last};")]
        parts[-1] = f"RETURN QUERY {parts[-1]}"
        body = ";\n".join(parts).replace(":won", "won").replace(":count", "count")
        self._text = f"""
            (expected BIGINT, count INT, texts TEXT, mark TEXT, nothing TEXT) RETURNS TABLE (%s) LANGUAGE plpgsql AS $body$
            #variable_conflict use_column
            DECLARE
                given TEXT[] := string_to_array(texts, mark, nothing);
                won TEXT[];
            BEGIN
                PERFORM begin_write(FALSE, expected);
                {body}
            END
            $body$
        """
        alone = last.replace(":won", "CAST(NULL AS TEXT[])").replace(":count", "0")
        self._answer, _ = for_postgres(Statement(alone, statement.columns))
        self._name = f"{name}_{hashlib.sha256(self._text.encode()).hexdigest()[:12]}"
        self.call = f"SELECT * FROM {self._name}($1, $2, $3, $4, $5)"  # noqa: S608  # all of it is ours

    def given(self, version: int | None, rows: Sequence[Sequence[Any]]) -> tuple[int | None, int, str, str, str]:
        """What `call` is called with: the version of the directory that is relied on, or None, and the rows."""
        texts, mark, none = marked(self._columns, rows)
        return version, len(rows), mark.join(texts), mark, none

    async def create(self, connection: Any) -> None:
        """Have it in the schema."""
        prepared = await connection.prepare(self._answer)
        columns = ", ".join(f"c{place} {each.type.name}" for place, each in enumerate(prepared.get_attributes()))
        await connection.execute(f"CREATE OR REPLACE FUNCTION {self._name} {self._text % columns}")
