"""A git reference as a store: each write is a commit pushed fast-forward, so that the server lets no two writers win.

What lies at ``refs/maestro/ledger`` is fetched without its history into a repository of our own and pushed from there;
nothing of it is ever checked out. Its objects are read through one `git cat-file --batch`. Of files only those are
fetched that are read (a partial clone, ``blob:none``); a server that knows no filters sends all of them, as ever, and
one that gives out no single objects is asked for all of them.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from secrets import token_hex

from maestro.errors import ToolFailure
from maestro.git_command import Git
from maestro.git_objects import ObjectReader, parse_tree
from maestro.ledger.store import Reader, Stored, checked, is_name
from maestro.process import ProcessTimeout

REFERENCE = "refs/maestro/ledger"
_NEXT = "refs/maestro/next"
ATTEMPTS = 40
_LONGEST_PAUSE = 1.0
_LOST = re.compile(
    r"\[rejected\]|non-fast-forward|fetch first|stale info|cannot lock ref|failed to update ref|incorrect old value"
)
_NO_REFERENCE = re.compile(r"couldn't find remote ref")
_QUIETLY = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
_REMOTE = "ledger"
_SHA1_BYTES = 20
_WHO = b"Maestro Conductor <maestro-conductor@invalid>"


class GitStore:
    """See ``Store``. ``url`` is what git fetches from, ``protocol`` the only one it may use for that."""

    erases = False

    def __init__(
        self,
        url: str,
        protocol: str,
        environ: Mapping[str, str],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = f"git+{url}"
        self._sleep = sleep
        self._lock = threading.RLock()
        self._filter = "--filter=blob:none"
        folder = Path(tempfile.mkdtemp(prefix="maestro-ledger-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._git = Git(folder, environ, protocol=protocol)
        # In the environment of what speaks to the server, and not in the repository: what reads objects would fetch
        # those that are missing one by one.
        of_remote = {"url": url, "promisor": "true", "partialclonefilter": "blob:none"}
        for number, (key, value) in enumerate(of_remote.items()):
            self._git.env |= {
                f"GIT_CONFIG_KEY_{number}": f"remote.{_REMOTE}.{key}",
                f"GIT_CONFIG_VALUE_{number}": value,
            }
        self._git.env["GIT_CONFIG_COUNT"] = str(len(of_remote))
        self._local = Git(folder, environ)
        self._objects = ObjectReader(self._local)
        weakref.finalize(self, self._objects.close)
        self._git.output("init", "--quiet", "--bare", "--template=", ".")

    def read(self, name: str) -> Stored | None:
        """See ``Store``."""
        checked(name)
        with self._lock:
            return self._at(self._fetch(), name)

    def create(self, name: str, data: bytes) -> bool:
        """See ``Store``."""
        checked(name)
        with self._lock:
            return self._write(name, data, lambda found: found is None)

    def replace(self, name: str, data: bytes, version: str) -> bool:
        """See ``Store``."""
        checked(name)
        with self._lock:
            return self._write(name, data, lambda found: found is not None and found.version == version)

    def names(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        return self.now().names(prefix)

    def now(self) -> Reader:
        """See ``Store``: one commit."""
        with self._lock:
            tip = self._fetch()
            listed = self._git.output("ls-tree", "-r", "-z", "--full-tree", tip) if tip is not None else b""
        files = {}
        for row in filter(None, listed.decode("utf-8", "replace").split("\0")):
            about, _, name = row.partition("\t")
            if is_name(name):
                files[name] = about.split(" ")[2]
        return _Commit(self, files)

    def prefetch(self, names: Iterable[str]) -> None:
        """See ``Reader``: here each read looks anew, so there is nothing to be brought before."""

    def erase(self, name: str) -> None:
        """Refused where there is something to erase: older commits would keep it.

        Raises:
            ToolFailure: always, except for a file that is not there.
        """
        if self.read(name) is not None:
            raise ToolFailure(
                "a git reference keeps its history, so nothing in it can be erased",
                where=f"{self.address}: {name}",
                remedy="keep what may have to be erased in a folder, s3:// or gs://",
            )

    def _at(self, tip: str | None, name: str) -> Stored | None:
        if tip is None:
            return None
        folder, _, last = name.rpartition("/")
        wanted = f"{tip}:{folder}"
        found = self._objects.read([wanted])[wanted]
        if found is None:
            # A tree that lacks the name says so here; a name that is there and unreadable must not pass for absent.
            if self._git.output("ls-tree", "-z", "--full-tree", tip, name):
                raise self._unreadable(name)
            return None
        rows = parse_tree(found[2], _SHA1_BYTES) if found[1] == "tree" else ()
        oid = next((row.oid for row in rows if row.name == last.encode()), None)
        return None if oid is None else self._blob(oid, name)

    def _blob(self, oid: str, name: str) -> Stored:
        """The file's content, by its object id."""
        found = self._objects.read([oid])[oid]
        if found is None:
            with self._lock:
                self._bring([oid])
            found = self._objects.read([oid])[oid]
        if found is None or found[1] != "blob":
            raise self._unreadable(name)
        return Stored(found[2], hashlib.sha256(found[2]).hexdigest())

    def _bring(self, oids: Iterable[str]) -> None:
        """Have these objects here, with one request; all there are, where the server gives out no single ones."""
        # What we have must not be told: from the commit the server would conclude that its files are here as well.
        alone = ("-c", "fetch.negotiationAlgorithm=noop", "fetch", *_QUIETLY, "--filter=blob:none", "--stdin", _REMOTE)
        done = self._git.run(*alone, stdin="".join(f"{oid}\n" for oid in oids).encode())
        if done.returncode != 0:
            self._filter = "--no-filter"
            self._fetch("--refetch")

    def _prefetch(self, oids: Iterable[str]) -> None:
        with self._lock:
            asked = "".join(f"{oid}\n" for oid in oids).encode()
            answer = self._local.output("cat-file", "--batch-check", "--buffer", stdin=asked).decode()
            missing = [line.partition(" ")[0] for line in answer.splitlines() if line.endswith(" missing")]
            if missing:
                self._bring(missing)

    def _unreadable(self, name: str) -> ToolFailure:
        return ToolFailure("git cannot read a file of the ledger", where=f"{self.address}: {name}")

    def _fetch(self, *more: str) -> str | None:
        """The commit at the reference; None where there is none yet."""
        wanted = f"+{REFERENCE}:{REFERENCE}"
        done = self._git.run("fetch", *_QUIETLY, "--depth=1", self._filter, *more, _REMOTE, wanted)
        if done.returncode == 0:
            return self._tip()
        said = done.stderr.decode("utf-8", "replace")
        if _NO_REFERENCE.search(said):
            return None
        raise self._failure(said)

    def _tip(self) -> str:
        found = self._objects.read([REFERENCE])[REFERENCE]
        if found is None or found[1] != "commit":
            raise ToolFailure(f"the ledger's {REFERENCE} is no commit", where=self.address)
        return found[0]

    def _write(self, name: str, data: bytes, may: Callable[[Stored | None], bool]) -> bool:
        for attempt in range(ATTEMPTS):
            tip = self._fetch()
            if not may(self._at(tip, name)):
                return False
            commit = self._commit(tip, name, data)
            if self._push(commit):
                return True
            # Somebody else has written this or another file meanwhile.
            self._sleep(min(_LONGEST_PAUSE, 0.01 * 2**attempt) * random.uniform(0.5, 1.5))  # noqa: S311
        raise ToolFailure(
            "the ledger's git reference was moved by others again and again",
            where=self.address,
            remedy="nothing is lost: the same command again writes it",
        )

    def _commit(self, tip: str | None, name: str, data: bytes) -> str:
        """A commit with the file upon ``tip``. One program, so that a write costs milliseconds."""
        # Without something of its own two writers of one value in one second would make one commit, and both win.
        message = f"Keep {name}\n\nWrite: {token_hex(16)}\n".encode()
        stream = (
            b"reset %b\ncommit %b\nmark :1\ncommitter %b %d +0000\ndata %d\n%b\n%bM 100644 inline %b\ndata %d\n%b\n"
            % (
                _NEXT.encode(),
                _NEXT.encode(),
                _WHO,
                int(time.time()),
                len(message),
                message,
                b"from %b\n" % tip.encode() if tip else b"",
                name.encode(),
                len(data),
                data,
            )
        )
        stream += b"get-mark :1\n"
        made = self._git.output("fast-import", "--quiet", "--force", "--date-format=raw", stdin=stream)
        return made.decode().strip()

    def _push(self, commit: str) -> bool:
        """Whether the reference moved to the commit; False where somebody was faster."""
        try:
            done = self._git.run("push", "--quiet", "--no-verify", _REMOTE, f"{commit}:{REFERENCE}")
        except ProcessTimeout:
            if self._fetch() == commit:
                return True
            raise
        if done.returncode == 0:
            return True
        said = done.stderr.decode("utf-8", "replace")
        if self._fetch() == commit:
            return True
        if _LOST.search(said):
            return False
        raise self._failure(said)

    def _failure(self, said: str) -> ToolFailure:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
        return ToolFailure(
            f"the ledger's git repository cannot be used: {(telling or lines or ['git did not say why'])[0]:.300}",
            where=self.address,
            remedy=f"whoever runs this must be allowed to fetch and push {REFERENCE} there",
        )


class _Commit:
    """See ``Reader``: what one commit holds. It keeps its store, and with it the objects."""

    def __init__(self, store: GitStore, files: Mapping[str, str]) -> None:
        self.address = store.address
        self._store = store
        self._files = files

    def read(self, name: str) -> Stored | None:
        """See ``Reader``."""
        oid = self._files.get(checked(name))
        if oid is None:
            return None
        return self._store._blob(oid, name)

    def prefetch(self, names: Iterable[str]) -> None:
        """See ``Reader``."""
        self._store._prefetch({self._files[name] for name in names if name in self._files})

    def names(self, prefix: str) -> Iterator[str]:
        """See ``Reader``."""
        return iter(sorted(name for name in self._files if name.startswith(prefix)))
