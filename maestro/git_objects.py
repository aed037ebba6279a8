"""Git's objects: read through one `git cat-file --batch`, parsed and hashed here.

Formats: git's Documentation/gitformat-pack and `git help hash-object`; a tree is a row of
``<octal mode> SP <name> NUL <object id as bytes>``, sorted as if a folder's name ended in a slash.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from typing import IO, NamedTuple

from maestro.errors import ToolFailure
from maestro.git_command import Git, explain
from maestro.process import Dialogue

MAX_BLOB_BYTES = 100 << 20
"""GitHub refuses larger files, too."""

_QUESTION_BYTES = 4096
"""A pipe holds at least this much, so asking this much at a time can never block on an unread answer."""

_FOLDER = b"40000"


class TreeEntry(NamedTuple):
    """One row of a tree object: the canonical mode ("40000" for a folder), the name as git has it, the object id."""

    mode: str
    name: bytes
    oid: str


class MissingObjects(ToolFailure):
    """Objects that the repository should have are not there (a partial or damaged clone)."""


class ObjectReader:
    """Objects by name, in batches, from one git process that starts when first needed. Threads take turns."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._dialogue: Dialogue | None = None
        self._closed = False
        self._turn = threading.Lock()

    def read(self, names: Iterable[str]) -> dict[str, tuple[str, str, bytes] | None]:
        """For each name (an object id or a revision): (object id, type, content), or None where there is none.

        Raises:
            MissingObjects: git wanted to fetch one from elsewhere, which is not allowed here.
            ToolFailure: git broke off, or an object is larger than MAX_BLOB_BYTES.
        """
        wanted = list(dict.fromkeys(names))
        answers: dict[str, tuple[str, str, bytes] | None] = {}
        if not wanted:
            return answers
        with self._turn:
            self._converse(wanted, answers)
        return answers

    def _converse(self, wanted: list[str], answers: dict[str, tuple[str, str, bytes] | None]) -> None:
        if self._closed:
            raise ToolFailure("the repository was closed before everything was read", remedy="report this defect")
        if self._dialogue is None:
            self._dialogue = Dialogue(self._git.argv("cat-file", "--batch"), env=self._git.env)
        try:
            for group in _groups(wanted):
                self._dialogue.ask(b"".join(_line(name) for name in group))
                for name in group:
                    answers[name] = _answer(self._dialogue.answers, name)
        except (BrokenPipeError, EOFError):
            self._end()
            raise self._broken_off([name for name in wanted if name not in answers]) from None
        except BaseException:
            self._end()  # answers may be left unread: never take them for those to a later question
            raise

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The content of each blob.

        Raises:
            MissingObjects: some are not in this clone.
        """
        wanted = list(dict.fromkeys(oids))
        found = self.read(wanted)
        missing = [oid for oid in wanted if found[oid] is None]
        if missing:
            raise self.missing(missing)
        return {oid: answer[2] for oid, answer in found.items() if answer is not None}

    def missing(self, oids: list[str]) -> MissingObjects:
        """The error for objects that are not here: how to get them depends on why."""
        some = ", ".join(oid[:12] for oid in oids[:3]) + (" …" if len(oids) > 3 else "")
        count = f"{len(oids):,} object{'s' if len(oids) > 1 else ''} ({some})"
        remote = self._promisor()
        if remote is None:
            return MissingObjects(f"{count} missing: this repository is damaged", remedy="see `git fsck`; clone again")
        fetch = f"git fetch --no-tags --no-write-fetch-head {remote} " + " ".join(oids[:8])
        if len(oids) > 8:
            fetch = f"git fetch --refetch --no-filter {remote}"
        return MissingObjects(
            f"{count} not in this partial clone, and nothing is fetched while judging",
            remedy=f"clone without --filter (actions/checkout: without `filter:`), or fetch what is wanted: {fetch}",
        )

    def close(self) -> None:
        """End the git process for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None

    def _promisor(self) -> str | None:
        done = self._git.run("config", "--null", "--get-regexp", r"^remote\..*\.promisor$|^extensions\.partialclone$")
        for row in done.stdout.decode("utf-8", "replace").split("\0"):
            key, _, value = row.partition("\n")
            if key.startswith("extensions.") and value:
                return value
            if key.startswith("remote.") and value in ("true", ""):
                return key.removeprefix("remote.").removesuffix(".promisor")
        return None

    def _broken_off(self, unanswered: list[str]) -> ToolFailure:
        """Why git broke off at the first of these: asked once more, alone, to hear it."""
        complaint = self._git.run("cat-file", "--batch", stdin=_line(unanswered[0])).stderr
        if b"promisor" in complaint or b"lazy fetching" in complaint:
            here = self._git.run("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)").stdout
            present = set(here.decode("ascii", "replace").split())
            absent = [name for name in unanswered if _OBJECT_ID.fullmatch(name) and name not in present]
            return self.missing(absent or _OBJECT_ID.findall(complaint.decode("ascii", "replace")))
        error = explain(complaint, self._git.folder, ("cat-file",))
        return ToolFailure(error.message, remedy=error.remedy)


_OBJECT_ID = re.compile("[0-9a-f]{40,64}")


def _answer(stream: IO[bytes], name: str) -> tuple[str, str, bytes] | None:
    header = stream.readline()
    if not header.endswith(b"\n"):
        raise EOFError
    if header.endswith((b" missing\n", b" ambiguous\n")):
        return None
    words = header.split()
    if len(words) != 3 or not words[2].isdigit():
        raise ToolFailure(f"git cat-file answered something unknown for {name!r}", remedy="see `git fsck`")
    size = int(words[2])
    if size > MAX_BLOB_BYTES:
        raise ToolFailure(f"object {name} has {size:,} bytes; more than {MAX_BLOB_BYTES:,} are not read")
    data = stream.read(size + 1)
    if len(data) != size + 1:
        raise EOFError
    return words[0].decode("ascii"), words[1].decode("ascii"), data[:-1]


def _groups(names: list[str]) -> Iterable[list[str]]:
    group: list[str] = []
    size = 0
    for name in names:
        length = len(_line(name))
        if group and size + length > _QUESTION_BYTES:
            yield group
            group, size = [], 0
        group.append(name)
        size += length
    yield group


def _line(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\n"


def parse_tree(data: bytes, hash_bytes: int) -> list[TreeEntry]:
    """The rows of a tree object; ``hash_bytes`` is 20 (sha1) or 32 (sha256).

    Raises:
        ToolFailure: it is not a tree git would make: cut off, a name twice, or a name that is no name of a file.
    """
    rows = re.findall(rb"([0-7]{5,6}) ([^\0/]+)\0(.{%d})" % hash_bytes, data, re.DOTALL)
    if sum(len(mode) + len(name) + hash_bytes + 2 for mode, name, _ in rows) != len(data):
        raise ToolFailure("a tree object in the repository is malformed", remedy="see `git fsck`")
    names = {name for _, name, _ in rows}
    if len(names) != len(rows) or b"." in names or b".." in names:
        raise ToolFailure("a tree object holds a name twice, or '.' or '..' as a name", remedy="see `git fsck`")
    return [TreeEntry(_MODES.get(mode) or _canonical(mode), name, oid.hex()) for mode, name, oid in rows]


_MODES = {b"100644": "100644", b"100755": "100755", b"120000": "120000", b"160000": "160000", b"40000": "40000"}


def _canonical(mode: bytes) -> str:
    """Git's canon_mode: old trees hold modes such as 100664 and 040000."""
    number = int(mode, 8)
    kind = number & 0o170000
    if kind == 0o100000:
        return "100755" if number & 0o100 else "100644"
    known = {0o120000: "120000", 0o040000: "40000", 0o160000: "160000"}
    if kind not in known:
        raise ToolFailure(f"a tree object holds the unknown file mode {number:o}", remedy="see `git fsck`")
    return known[kind]


def object_id(kind: str, data: bytes, object_format: str) -> str:
    """The id git gives to an object: the hash over ``<kind> SP <size> NUL <content>``."""
    digest = hashlib.new(object_format, b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def without_name(tree: bytes, name: bytes, hash_bytes: int) -> bytes:
    """A tree object's content as if the row called ``name`` were not there."""
    at = 0
    while at < len(tree):
        nul = tree.index(b"\0", at)
        end = nul + 1 + hash_bytes
        if tree[at:nul].partition(b" ")[2] == name:
            return tree[:at] + tree[end:]
        at = end
    return tree


def tree_id_of(files: Mapping[str, tuple[str, str]], object_format: str) -> str:
    """The id of the tree that holds these files: path to (mode, object id). Works through any depth."""
    rows: dict[str, list[tuple[bytes, bytes]]] = {"": []}
    for path, (mode, oid) in files.items():
        folder, _, name = path.rpartition("/")
        _add_folders(rows, folder)
        raw = name.encode("utf-8", "surrogateescape")
        rows[folder].append((raw, mode.encode() + b" " + raw + b"\0" + bytes.fromhex(oid)))
    for folder in sorted(rows, key=lambda path: -path.count("/") if path else 1):
        if not folder:
            continue
        oid = object_id("tree", _joined(rows[folder]), object_format)
        parent, _, name = folder.rpartition("/")
        raw = name.encode("utf-8", "surrogateescape")
        rows[parent].append((raw + b"/", _FOLDER + b" " + raw + b"\0" + bytes.fromhex(oid)))
    return object_id("tree", _joined(rows[""]), object_format)


def _add_folders(rows: dict[str, list[tuple[bytes, bytes]]], folder: str) -> None:
    while folder not in rows:
        rows[folder] = []
        folder = folder.rpartition("/")[0]


def _joined(rows: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(row for _, row in sorted(rows))
