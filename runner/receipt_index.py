"""Where receipts are: an SQLite file that only finds. It is made of the ledger, and may be deleted at any time.

A *shelf* is one (tenant, day, workflow), an *origin* one (run, commit, decisions cited): a receipt is four small
columns, clustered by shelf and id.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from maestro.ledger import durable
from runner.receipt_row import Key, Row, Wanted

APPLICATION = 0x4D43_5249
VERSION = 1
BUSY_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE ledger (place TEXT NOT NULL);
CREATE TABLE runs (run TEXT PRIMARY KEY, stamp TEXT, unread INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE shelves (number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, day TEXT NOT NULL, workflow TEXT NOT NULL,
  UNIQUE (tenant, day, workflow));
CREATE TABLE origins (number INTEGER PRIMARY KEY, run TEXT NOT NULL, source_commit TEXT NOT NULL,
  decisions TEXT NOT NULL);
CREATE INDEX origins_by_run ON origins (run);
CREATE INDEX origins_by_commit ON origins (source_commit);
CREATE TABLE cited (decision TEXT NOT NULL, origin INTEGER NOT NULL, PRIMARY KEY (decision, origin)) WITHOUT ROWID;
CREATE INDEX cited_by_origin ON cited (origin);
CREATE TABLE receipts (shelf INTEGER NOT NULL, id BLOB NOT NULL, origin INTEGER NOT NULL, outcome TEXT NOT NULL,
  PRIMARY KEY (shelf, id)) WITHOUT ROWID;
CREATE UNIQUE INDEX by_id ON receipts (id);
CREATE INDEX by_origin ON receipts (origin);
CREATE INDEX by_failure ON receipts (outcome) WHERE outcome <> 'succeeded';
"""
_COLUMNS = "s.tenant, s.day, s.workflow, r.id, o.run, o.source_commit, r.outcome, o.decisions"
_SHELVES = "CROSS JOIN shelves AS s ON s.number = r.shelf"
_ORIGINS = "CROSS JOIN origins AS o ON o.number = r.origin"
_INSERT = "INSERT INTO receipts (shelf, id, origin, outcome) VALUES (?, ?, ?, ?)"


class ReceiptIndex:
    """An open index. Every method raises sqlite3.Error where the file is broken or busy: see ``with_index``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def stamps(self) -> dict[str, str | None]:
        """Of each run that is in it, the state that was read; None where it must be read again."""
        return dict(self._db.execute("SELECT run, stamp FROM runs"))

    def unread(self) -> dict[str, int]:
        """Of each run that has such, how many files are no receipts that could be found."""
        return dict(self._db.execute("SELECT run, unread FROM runs WHERE unread > 0 ORDER BY run"))

    def forget(self, run: str) -> None:
        """Take a run out."""
        with self._whole():
            self._forget(run)

    def clear(self) -> None:
        """Take everything out."""
        with self._whole():
            for table in ("receipts", "cited", "origins", "shelves", "runs"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - constants

    def put(self, run: str, stamp: str | None, rows: Iterable[Row], unread: int = 0) -> None:
        """Have exactly these receipts of a run in it."""
        with self._whole():
            self._forget(run)
            self._db.execute("INSERT INTO runs (run, stamp, unread) VALUES (?, ?, ?)", (run, stamp, unread))
            shelves: dict[tuple[str, str, str], int] = {}
            origins: dict[tuple[str, tuple[str, ...]], int] = {}
            found = []
            for row in rows:
                place, source = (row.tenant, row.day, row.workflow), (row.commit, row.decisions)
                shelf = shelves.get(place)
                if shelf is None:
                    shelf = shelves[place] = self._shelf(place)
                origin = origins.get(source)
                if origin is None:
                    origin = origins[source] = self._origin(run, *source)
                found.append((shelf, bytes.fromhex(row.id), origin, row.outcome))
            self._db.executemany(_INSERT, found)

    def find(self, wanted: Wanted, after: Key | None, limit: int) -> list[Row]:
        """The first ``limit`` receipts that are asked for and come after a place, in order."""
        sql, values = _query(wanted, after)
        return [_row(found) for found in self._db.execute(f"{sql} LIMIT ?", (*values, limit))]

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _forget(self, run: str) -> None:
        of_run = "(SELECT number FROM origins WHERE run = ?)"
        for table in ("receipts", "cited"):
            self._db.execute(f"DELETE FROM {table} WHERE origin IN {of_run}", (run,))  # noqa: S608 - constants
        for table in ("origins", "runs"):
            self._db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608

    def _shelf(self, place: tuple[str, str, str]) -> int:
        self._db.execute("INSERT OR IGNORE INTO shelves (tenant, day, workflow) VALUES (?, ?, ?)", place)
        sql = "SELECT number FROM shelves WHERE tenant = ? AND day = ? AND workflow = ?"
        return int(self._db.execute(sql, place).fetchone()[0])

    def _origin(self, run: str, commit: str, decisions: tuple[str, ...]) -> int:
        sql = "INSERT INTO origins (run, source_commit, decisions) VALUES (?, ?, ?)"
        number = self._db.execute(sql, (run, commit, json.dumps(decisions))).lastrowid
        assert number is not None  # noqa: S101 - the driver's types
        rows = [(decision, number) for decision in dict.fromkeys(decisions)]
        self._db.executemany("INSERT INTO cited (decision, origin) VALUES (?, ?)", rows)
        return number


def _row(found: Sequence[object]) -> Row:
    tenant, day, workflow, number, run, commit, outcome, decisions = found
    try:
        if not isinstance(number, bytes) or not isinstance(decisions, str):
            raise TypeError
        cited = tuple(map(str, json.loads(decisions)))
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError("a row is malformed") from error
    return Row(str(tenant), str(day), str(workflow), number.hex(), str(run), str(commit), str(outcome), cited)


def _query(wanted: Wanted, after: Key | None) -> tuple[str, list[object]]:
    """The narrowest way in is taken, and the order of the joins kept (CROSS): there are no statistics to guess from."""
    where: list[str] = []
    values: list[object] = []

    def must(condition: str, *bound: object) -> None:
        where.append(condition)
        values.extend(bound)

    if wanted.decision is not None:
        must("c.decision = ?", wanted.decision)
    if wanted.run is not None:
        must("o.run = ?", wanted.run)
    if wanted.commit is not None:
        must("o.source_commit >= ? AND o.source_commit < ?", wanted.commit, wanted.commit + "\U0010ffff")
    if wanted.id is not None:
        must("r.id = ?", bytes.fromhex(wanted.id))
    if wanted.outcome is not None:
        must("r.outcome = ?", wanted.outcome)
    for name, value in (("tenant", wanted.tenant), ("day", wanted.day), ("workflow", wanted.workflow)):
        if value is not None:
            must(f"s.{name} = ?", value)
    if after is not None:
        tenant, day, workflow, last = after
        must("(s.tenant, s.day, s.workflow) >= (?, ?, ?)", tenant, day, workflow)
        must("(s.tenant, s.day, s.workflow, r.id) > (?, ?, ?, ?)", tenant, day, workflow, bytes.fromhex(last))
    cited = "" if wanted.decision is None else "CROSS JOIN cited AS c ON c.origin = o.number"
    if wanted.id is not None:
        source = f"receipts AS r INDEXED BY by_id {_SHELVES} {_ORIGINS} {cited}"
    elif wanted.decision is not None:
        source = f"cited AS c CROSS JOIN origins AS o ON o.number = c.origin {_BY_ORIGIN} {_SHELVES}"
    elif wanted.run is not None or wanted.commit is not None:
        source = f"origins AS o {_BY_ORIGIN} {_SHELVES}"
    elif wanted.outcome not in (None, "succeeded"):
        must("r.outcome <> 'succeeded'")
        source = f"receipts AS r INDEXED BY by_failure {_SHELVES} {_ORIGINS}"
    else:
        source = f"shelves AS s CROSS JOIN receipts AS r ON r.shelf = s.number {_ORIGINS}"
    condition = " AND ".join(where) or "1"
    order = "s.tenant, s.day, s.workflow, r.id"
    return f"SELECT {_COLUMNS} FROM {source} WHERE {condition} ORDER BY {order}", values  # noqa: S608 - constants


_BY_ORIGIN = "CROSS JOIN receipts AS r INDEXED BY by_origin ON r.origin = o.number"

T = TypeVar("T")
_NOT_OURS_TO_MEND = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_NOMEM,
    }
)


class _Newer(Exception):
    """The file is of a later version of this tool."""


class _Foreign(Exception):
    """The file is no index of this ledger."""


def with_index(path: Path, place: str, work: Callable[[ReceiptIndex], T], tell: Callable[[str], None]) -> T:
    """Do something with the index of a ledger, whatever state its file is in.

    One that is garbage, another ledger's or of an older version is made anew; one that is of a newer version, locked or
    not writable is left alone, and another one made in memory. ``work`` may be called a second time then.

    Args:
        path: the file.
        place: which ledger it is of.
        work: called with the index.
        tell: hears what was wrong with the file, in one line.
    """
    for attempt in (1, 2):
        try:
            with closing(_opened(path, place)) as connection:
                return work(ReceiptIndex(connection))
        except _Newer:
            tell(f"the index {path} is of a newer version of maestro: looking through the ledger without it")
            break
        except (OSError, sqlite3.Error, UnicodeDecodeError, _Foreign) as error:  # sqlite's words may quote the file
            mendable = isinstance(error, _Foreign | UnicodeDecodeError) or _mendable(error)
            if not mendable or attempt == 2:
                tell(f"the index {path} cannot be used ({error}): looking through the ledger without it")
                break
            tell(f"the index {path} was no use ({error}): made anew")
            try:
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
            except OSError:
                break
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _create(connection, place)
        return work(ReceiptIndex(connection))


def _mendable(error: OSError | sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and (code is None or code & 0xFF not in _NOT_OURS_TO_MEND)


def _opened(path: Path, place: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    durable.keep_out_of_git(path.parent)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        if application == APPLICATION and version > VERSION:
            raise _Newer
        fresh = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if fresh:
            connection.execute("PRAGMA journal_mode = WAL")
            _create(connection, place)
        elif application != APPLICATION or version != VERSION:
            raise _Foreign("it is of another version, or something else")
        elif connection.execute("SELECT place FROM ledger").fetchall() != [(place,)]:
            raise _Foreign("it is another ledger's")
        connection.execute("PRAGMA synchronous = NORMAL")  # after a power cut a cache may lack its last minutes
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection, place: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():  # nobody else was first
        for statement in _SCHEMA.split(";")[:-1]:
            connection.execute(statement)
        connection.execute("INSERT INTO ledger (place) VALUES (?)", (place,))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
