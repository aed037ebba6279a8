"""Receipts that are old, as Parquet files in a folder or a bucket, with the bytes that were signed.

::

    <archive>/day=2026-01-31/tenant=acme/<32 hexadecimal digits>.parquet

One file is a day of a tenant, sorted by workflow and id. It is named after the digest of what it holds, so that
archiving again writes nothing, and no file ever takes another's place. Columns: id, run, workflow, commit, outcome,
decisions, receipt (bundle), session (bundle); only the last two count, the others find. Buckets are reached through
``pyarrow.fs``.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import Trust
from maestro.ledger import address, durable
from runner import receipt, session
from runner.finding import Found
from runner.ledger_check import decision_faults
from runner.receipt_row import Key, Row, Wanted, row_of
from runner.session import Session

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_COLUMNS = ("id", "run", "workflow", "commit", "outcome", "decisions", "receipt", "session")


@dataclass(frozen=True, slots=True)
class Archived:
    """A receipt to be archived, with what it rests on, both as they were signed."""

    row: Row
    receipt: bytes
    session: bytes


class Archive:
    """A place for them.

    Args:
        place: a folder, ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``.
        base: what a folder is relative to.

    Raises:
        UsageError: the place is none.
        ToolFailure: it cannot be reached.
    """

    def __init__(self, place: str, base: Path) -> None:
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem, LocalFileSystem

        try:
            where = address.parse(place)
        except ValueError as error:
            raise UsageError(f"the archive {error}", where=place) from error
        if where.kind == "git":
            raise UsageError("an archive is a folder or a bucket, no git repository", where=place)
        self.place = place
        self._folder = (base / where.place).resolve() if where.kind == "folder" else None
        self._files: FileSystem
        if self._folder is not None:
            self._files, self._root = LocalFileSystem(), str(self._folder)
        else:
            try:
                self._files, self._root = FileSystem.from_uri(place)
            except (ArrowException, OSError, ValueError) as error:
                raise ToolFailure(f"the archive cannot be reached: {error!s:.200}", where=place) from error

    def write(self, rows: Sequence[Archived]) -> tuple[int, int]:
        """Have these receipts in it: files written, files that were there.

        Raises:
            ToolFailure: it cannot be written.
        """
        shelves: dict[tuple[str, str], list[Archived]] = {}
        for one in rows:
            shelves.setdefault((one.row.day, one.row.tenant), []).append(one)
        written = 0
        for (day, tenant), some in sorted(shelves.items()):
            some.sort(key=lambda one: one.row.key)
            named = hashlib.sha256(b"".join(hashlib.sha256(one.receipt).digest() for one in some)).hexdigest()[:32]
            written += self._put(f"day={day}/tenant={quote(tenant, safe='')}", f"{named}.parquet", _parquet(some))
        return written, len(shelves) - written

    def _put(self, folder: str, name: str, data: bytes) -> bool:
        """Whole or not at all; a file of that name holds the same receipts."""
        from pyarrow import ArrowException
        from pyarrow.fs import FileType

        if self._folder is not None:
            path = self._folder / folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                durable.write(path, data, durable=True)
            except FileExistsError:
                return False
            except OSError as error:
                raise ToolFailure(f"the archive cannot be written: {error.strerror}", where=str(path)) from error
            return True
        target = f"{self._root}/{folder}/{name}"
        try:
            if self._files.get_file_info(target).type != FileType.NotFound:
                return False
            with self._files.open_output_stream(target) as out:  # an object appears when all of it has come
                out.write(data)
        except (ArrowException, OSError) as error:
            raise ToolFailure(f"the archive cannot be written: {error!s:.200}", where=self.place) from error
        return True

    def find(self, wanted: Wanted, after: Key | None, limit: int, trust: Trust) -> list[Found]:
        """As ``runner.finding.find``, from here: each is judged by its signed bytes. ``trust`` says whom to believe.

        Raises:
            ToolFailure: it cannot be read, or a file in it is broken: what it lacks nobody could say.
        """
        found: dict[str, Found] = {}
        for (tenant, day), paths in sorted(self._shelves(wanted).items()):
            if after is not None and (tenant, day) < after[:2]:
                continue
            for path in paths:
                for raw in self._read(path):
                    row = _row(raw, tenant, day)
                    if wanted.matches(row) and (after is None or row.key > after):
                        one = _judged(row, raw, trust, path)
                        if row.id not in found or found[row.id].row is None:  # a forged copy hides nothing
                            found[row.id] = one
            if len(found) >= limit:
                break
        return sorted(found.values(), key=lambda one: one.key)[:limit]

    def _shelves(self, wanted: Wanted) -> Mapping[tuple[str, str], list[str]]:
        """The files that may hold what is asked for, by (tenant, day)."""
        from pyarrow import ArrowException
        from pyarrow.fs import FileSelector, FileType

        top = self._root if wanted.day is None else f"{self._root}/day={wanted.day}"
        shelves: dict[tuple[str, str], list[str]] = {}
        try:
            if self._files.get_file_info(self._root).type == FileType.NotFound:
                raise ToolFailure("there is no archive", where=self.place)
            files = self._files.get_file_info(FileSelector(top, allow_not_found=True, recursive=True))
        except (ArrowException, OSError) as error:
            raise ToolFailure(f"the archive cannot be read: {error!s:.200}", where=self.place) from error
        for one in files:
            parts = one.path.removeprefix(self._root).strip("/").split("/")
            if one.type != FileType.File or len(parts) != 3 or parts[2][0] in "._" or not parts[2].endswith(".parquet"):
                continue
            day, tenant = parts[0].removeprefix("day="), unquote(parts[1].removeprefix("tenant="))
            if wanted.tenant in (None, tenant) and wanted.day in (None, day):
                shelves.setdefault((tenant, day), []).append(one.path)
        return {shelf: sorted(paths) for shelf, paths in shelves.items()}

    def _read(self, path: str) -> Iterator[Mapping[str, Any]]:
        import pyarrow.parquet as pq
        from pyarrow import ArrowException

        try:
            with self._files.open_input_file(path) as file:
                table = pq.read_table(file, columns=list(_COLUMNS))
            yield from table.to_pylist()
        except (ArrowException, OSError, KeyError, ValueError) as error:
            raise ToolFailure(
                f"a file of the archive cannot be read: {error!s:.200}",
                where=path,
                remedy="it was cut short or changed; `maestro receipts archive` writes it again once it is moved away",
            ) from error


def _parquet(rows: Sequence[Archived]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    types = [text] * 5 + [pa.list_(text), pa.binary(), pa.binary()]
    columns = list(
        zip(
            *(
                (
                    o.row.id,
                    o.row.run,
                    o.row.workflow,
                    o.row.commit,
                    o.row.outcome,
                    o.row.decisions,
                    o.receipt,
                    o.session,
                )
                for o in rows
            ),
            strict=True,
        )
    )
    arrays = [pa.array(column, type=kind) for column, kind in zip(columns, types, strict=True)]
    out = io.BytesIO()
    pq.write_table(pa.table(arrays, names=list(_COLUMNS)), out, compression="zstd")
    return out.getvalue()


def _row(raw: Mapping[str, Any], tenant: str, day: str) -> Row:
    """What the columns say; it finds only."""
    workflow, name, run, commit, outcome = (str(raw[key]) for key in ("workflow", "id", "run", "commit", "outcome"))
    return Row(tenant, day, workflow, name, run, commit, outcome, tuple(map(str, raw["decisions"] or ())))


def _judged(row: Row, raw: Mapping[str, Any], trust: Trust, path: str) -> Found:
    try:
        said = receipt.read(raw["receipt"] or b"", trust, run_id=row.run, execution=row.id).statement.predicate
        number = said["session"].get("number")
        decided: Session = session.read(raw["session"] or b"", trust, row.run, number)
        if row_of(said, row.run, row.id) != row:
            raise BadEvidence("the archive's columns say something else than the receipt")
    except BadEvidence as error:
        return Found(row.key, row.run, None, None, (f"not-believed: {error.message}",), path)
    faults = tuple(f"no-decision: {one}" for one in decision_faults(said, {decided.digest: decided}))
    return Found(row.key, row.run, row, said, faults, path)
