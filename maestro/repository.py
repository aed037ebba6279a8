"""A git repository: any revision without a checkout, and the working tree, as snapshots."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from maestro.errors import ToolFailure, UsageError
from maestro.git_command import OLDEST_GIT, Git, explain
from maestro.git_objects import ObjectReader, object_id, parse_tree, without_name
from maestro.history import History, Merged
from maestro.snapshot import NOTHING, Change, Entry, Snapshot, compare, diff_digest

__all__ = ["NOTHING", "Change", "Entry", "Repository", "Snapshot", "compare", "diff_digest"]

MAX_ENTRIES = 1_000_000
MAX_DEPTH = 500
_HASH_BYTES = {"sha1": 20, "sha256": 32}


class Repository:
    """An open repository; a context manager that owns one `git cat-file --batch` process.

    ``root`` is the folder of the working tree, or the repository's own folder when it is bare.
    """

    def __init__(self, git: Git, *, root: Path, git_dir: Path, bare: bool, shallow: bool, object_format: str) -> None:
        """Use `Repository.open`."""
        self.root = root
        self.git_dir = git_dir
        self.bare = bare
        self.shallow = shallow
        self.object_format = object_format
        self.git = git
        self.objects = ObjectReader(git)
        self._trees: dict[tuple[str, str], _Tree] = {}
        self._listings: dict[str, Mapping[str, Entry]] = {}
        self._commits: dict[str, bytes] = {}

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str]) -> Repository:
        """The repository that ``path`` lies in (a working tree, a subfolder, a linked worktree, a bare one).

        Raises:
            UsageError: no such folder, no repository, one that git refuses to read, or a bare one that lies among the
                files of another.
            ToolFailure: git is missing or fails.
        """
        if not path.is_dir():
            raise UsageError(f"there is no folder {str(path)!r}", remedy="name an existing one with --repo DIR")
        git = Git(path.absolute(), environ)
        facts = ("--is-bare-repository", "--is-shallow-repository", "--show-object-format", "--absolute-git-dir")
        done = git.run("rev-parse", *facts, "--show-toplevel")
        lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
        bare = lines[:1] == ["true"]
        if len(lines) < 4 or (done.returncode != 0 and not bare):  # a bare repository has all but the last
            raise explain(done.stderr, path, ("rev-parse",))
        _, shallow, object_format, git_dir, *rest = lines
        if object_format not in _HASH_BYTES:
            raise UsageError(
                f"this git does not tell a repository's object format, or one that is not known: {object_format!r}",
                remedy=f"install git {OLDEST_GIT} or later",
            )
        root = Path(git_dir if bare else "\n".join(rest))
        if len(rest) > 1 or not root.is_dir():
            raise UsageError(f"the path of the repository holds a newline: {str(path)!r}", remedy="move it elsewhere")
        if bare:
            _refuse_embedded(Path(git_dir), environ)
        git.folder = root
        return cls(
            git,
            root=root,
            git_dir=Path(git_dir),
            bare=bare,
            shallow=shallow == "true",
            object_format=object_format,
        )

    def resolve(self, rev: str) -> str:
        """The commit that a revision names.

        Raises:
            UsageError: there is none; with the nearest branch names and how to fetch it.
        """
        found = self.find(rev)
        if found is None:
            raise self._no_such_revision(rev)
        return found

    def find(self, rev: str) -> str | None:
        """The commit that a revision names, or None.

        A short name is a branch before it is a tag; ``origin/main`` is the remote's branch or nothing. Git itself
        prefers a tag and the local branch ``origin/main``, and takes them where the remote's was not fetched: whoever
        may push one, or name a branch so, could choose what decides.
        """
        if not rev or any(ord(char) < 32 or ord(char) == 127 for char in rev):
            return None
        names = [name + "^{commit}" for name in _meanings(rev)]
        answers = self.objects.read(names)
        answer = next((answers[name] for name in names if answers[name] is not None), None)
        if answer is None or answer[1] != "commit":
            return None
        self._commits[answer[0]] = answer[2]
        return answer[0]

    def is_empty(self) -> bool:
        """Whether HEAD has no commit yet."""
        return self.find("HEAD") is None

    def snapshot(self, rev: str) -> Snapshot:
        """All files at a revision; listed and read when asked for.

        Raises:
            UsageError: see `resolve`.
        """
        commit = self.resolve(rev)
        tree = self._tree_of(commit)
        return Snapshot(
            commit=commit,
            label=commit,
            entries=lambda: self._listing(tree),
            blobs=self.objects,
            object_format=self.object_format,
            git_tree_id=lambda exclude: self._tree_id_without(tree, exclude),
        )

    def worktree(self) -> Snapshot:
        """The files as they lie on the disk: tracked ones, and untracked ones that are not ignored.

        Raises:
            UsageError: the repository is bare.
        """
        from maestro.worktree import read_worktree

        if self.bare:
            raise UsageError(
                f"{str(self.root)!r} is a bare repository: it has no working tree",
                remedy="name the revision to judge with --head REV",
            )
        return read_worktree(self.git, self.git_dir, self.objects, self.object_format)

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """All best common ancestors of two commits: several where branches were merged into each other crosswise."""
        done = self.git.run("merge-base", "--all", "--end-of-options", one, other)
        if done.returncode == 1:
            return ()
        if done.returncode != 0:
            raise explain(done.stderr, self.root, ("merge-base",))
        return tuple(done.stdout.decode("ascii").split())

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether one commit is another or one of its ancestors (as far as a shallow clone shows)."""
        done = self.git.run("merge-base", "--is-ancestor", "--end-of-options", ancestor, descendant)
        if done.returncode not in (0, 1):
            raise explain(done.stderr, self.root, ("merge-base",))
        return done.returncode == 0

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents that the commit itself names, also those that a shallow clone does not have."""
        return tuple(self._header(commit, b"parent"))

    def history(self, tip: str) -> History:
        """Everything that was merged into a branch whose tip this commit is; two git processes, however long it is.

        Raises:
            UsageError: the clone is shallow, so what came before is not here.
        """
        if self.shallow:
            raise UsageError(
                "this shallow clone does not hold the whole history",
                remedy="fetch it: git fetch --unshallow (actions/checkout: `fetch-depth: 0`)",
            )
        output = self.git.output("rev-list", "--parents", "--end-of-options", tip)
        parents = {row[0]: tuple(row[1:]) for row in (line.split() for line in output.decode("ascii").splitlines())}
        line = [tip]
        while parents[line[-1]]:
            line.append(parents[line[-1]][0])
        found = self.objects.read(line)
        commits = []
        for oid in reversed(line):
            answer = found[oid]
            if answer is None:
                raise self.objects.missing([oid])
            commits.append(_merged(oid, answer[2]))
        return History(tuple(commits), parents)

    def first_with(self, tip: str, path: str) -> str | None:
        """The oldest commit on the line of first parents that has a file of this name, or None."""
        output = self.git.output("rev-list", "--first-parent", "--reverse", "--end-of-options", tip, "--", path)
        return next(iter(output.decode("ascii").split()), None)

    def current_branch(self) -> str | None:
        """The short name of the branch that is checked out, or None when HEAD is detached."""
        done = self.git.run("symbolic-ref", "--quiet", "HEAD")
        name = done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
        return name.removeprefix("refs/heads/") if done.returncode == 0 else None

    def tags(self, prefix: str) -> dict[str, str]:
        """The tags below ``prefix`` (``release/``): the rest of the name to the commit."""
        output = self.git.output("for-each-ref", "--format=%(refname)", f"refs/tags/{prefix}")
        refs = output.decode("utf-8", "surrogateescape").splitlines()
        found = {ref.removeprefix(f"refs/tags/{prefix}"): self.find(ref) for ref in refs}
        return {name: commit for name, commit in found.items() if commit is not None}

    def default_branch_rev(self, configured: str | None) -> str | None:
        """The branch that changes are merged into: what origin/HEAD points to, else origin/<configured>, else the
        local <configured>; without ``configured``, main or master where the remote has not both, else the only local
        branch when there is no remote. A revision to resolve, or None."""
        refs = self._refs()
        pointed = refs.get("refs/remotes/origin/HEAD")
        if pointed and pointed in refs:
            return pointed.removeprefix("refs/remotes/")
        guessed = [name for name in ("main", "master") if f"refs/remotes/origin/{name}" in refs]
        if not configured and len(guessed) > 1:
            return None
        for name in (configured,) if configured else ("main", "master"):
            if f"refs/remotes/origin/{name}" in refs:
                return f"origin/{name}"
            if f"refs/heads/{name}" in refs:
                return name
        local = [ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/")]
        remote = any(ref.startswith("refs/remotes/") for ref in refs)
        return local[0] if len(local) == 1 and not remote and not configured else None

    def close(self) -> None:
        """End the git process."""
        self.objects.close()

    def __enter__(self) -> Repository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refs(self) -> dict[str, str]:
        """Every branch and remote branch: its full name to the full name it points to, or to nothing."""
        output = self.git.output("for-each-ref", "--format=%(refname)%00%(symref)", "refs/heads", "refs/remotes")
        rows = (row.split("\0") for row in output.decode("utf-8", "surrogateescape").splitlines())
        return {row[0]: row[1] for row in rows}

    def _no_such_revision(self, rev: str) -> UsageError:
        if rev == "HEAD":
            return UsageError("the repository has no commit yet", remedy="make the first one: git commit")
        names = [ref.split("/", 2)[2] for ref in self._refs()]
        same = [name for name in names if name.rpartition("/")[2] == rev.rpartition("/")[2]]
        near = list(dict.fromkeys(same + difflib.get_close_matches(rev, names, 3)))[:3]
        hint = "did you mean " + " or ".join(f"`{name}`" for name in near) + "? Otherwise fetch it: " if near else ""
        branch = rev.removeprefix("refs/heads/").removeprefix("origin/").rstrip("^~0123456789") or rev
        fetch = f"git fetch origin {branch}"
        if self.shallow:
            fetch += " (this clone is shallow; actions/checkout: `fetch-depth: 2`, or 0 for all)"
        return UsageError(f"there is no revision {rev!r} here", remedy=(hint or "fetch it: ") + fetch)

    def _header(self, commit: str, key: bytes) -> list[str]:
        if commit not in self._commits and self.find(commit) is None:
            raise self._no_such_revision(commit)
        head = self._commits[self.resolve(commit) if commit not in self._commits else commit].partition(b"\n\n")[0]
        prefix = key + b" "
        return [line[len(prefix) :].decode("utf-8", "replace") for line in head.split(b"\n") if line.startswith(prefix)]

    def _tree_of(self, commit: str) -> str:
        return self._header(commit, b"tree")[0]

    def _tree_id_without(self, tree: str, name: str | None) -> str:
        if name is None:
            return tree
        answer = self.objects.read((tree,))[tree]
        if answer is None:
            raise self.objects.missing([tree])
        data = without_name(answer[2], name.encode("utf-8", "surrogateescape"), _HASH_BYTES[self.object_format])
        return object_id("tree", data, self.object_format)

    def _listing(self, root: str) -> Mapping[str, Entry]:
        """Every file below a tree, sorted by path. Trees are read level by level, each level in one batch, and kept:
        a second revision reads only the folders that differ."""
        if root in self._listings:
            return self._listings[root]
        entries: dict[str, Entry] = {}
        level = [("", root)]
        visited = 0
        for _depth in range(MAX_DEPTH):
            self._load(level)
            below: list[tuple[str, str]] = []
            for key in level:
                tree = self._trees[key]
                entries.update(tree.files)
                below += tree.folders
            visited += len(level)
            if len(entries) + visited + len(below) > MAX_ENTRIES:
                raise ToolFailure(f"the revision holds more than {MAX_ENTRIES:,} files and folders")
            if not below:
                break
            level = below
        else:
            raise ToolFailure(f"the revision holds folders more than {MAX_DEPTH} deep")
        self._listings[root] = dict(sorted(entries.items()))
        return self._listings[root]

    def _load(self, keys: list[tuple[str, str]]) -> None:
        unknown = [key for key in keys if key not in self._trees]
        answers = self.objects.read(oid for _, oid in unknown)
        for prefix, oid in unknown:
            answer = answers[oid]
            if answer is None:
                raise self.objects.missing([oid for oid, found in answers.items() if found is None])
            if answer[1] != "tree":
                raise ToolFailure(f"object {oid} is a {answer[1]} where a folder should be", remedy="see `git fsck`")
            self._trees[prefix, oid] = _Tree(prefix, answer[2], _HASH_BYTES[self.object_format])


def _refuse_embedded(git_dir: Path, environ: Mapping[str, str]) -> None:
    """A folder of a checkout with HEAD, refs and objects in it is a bare repository to git: its author's own."""
    above = next((folder for folder in git_dir.parents if (folder / ".git").exists()), None)
    if above is None:
        return
    around = Git(above, environ).run("rev-parse", "--absolute-git-dir").stdout
    if around.decode("utf-8", "surrogateescape").removesuffix("\n") != str(git_dir):
        raise UsageError(
            f"{str(git_dir)!r} is a bare repository among the files of another, so a change could bring its own",
            remedy=f"name the one around it: --repo {above}",
        )


def _merged(oid: str, content: bytes) -> Merged:
    head = content.partition(b"\n\n")[0].split(b"\n")
    tree = next(line[5:].decode("ascii") for line in head if line.startswith(b"tree "))
    committer = next((line for line in head if line.startswith(b"committer ")), b"")
    seconds = committer.rpartition(b"> ")[2].split(b" ")[0]
    return Merged(oid, tree, int(seconds) if seconds.isdigit() else 0)


class _Tree:
    """A folder at a place: its files by full path, its subfolders as (prefix, tree id)."""

    __slots__ = ("files", "folders")

    def __init__(self, prefix: str, data: bytes, hash_bytes: int) -> None:
        self.files: dict[str, Entry] = {}
        self.folders: list[tuple[str, str]] = []
        for mode, name, oid in parse_tree(data, hash_bytes):
            path = prefix + name.decode("utf-8", "surrogateescape")
            if mode == "40000":
                self.folders.append((path + "/", oid))
            else:
                self.files[path] = Entry(mode, oid)


_SHORT_NAME = re.compile(
    r"(?!refs/|(?:[A-Z]+_)*HEAD(?![^~^:@]))(?![0-9a-f]{40}(?:[0-9a-f]{24})?\b)(?!-)((?:[^~^:@]|@(?!\{))+)(.*)"
)
"""A revision's name, where it is neither a full one, a pseudo ref such as FETCH_HEAD nor an id; and what follows it."""


def _meanings(rev: str) -> tuple[str, ...]:
    """What a revision can mean, the first first: for a short name the branches by full name, then what git makes of it.

    What begins with ``origin/`` is the remote's branch alone.
    """
    found = _SHORT_NAME.fullmatch(rev)
    if found is None:
        return (rev,)
    remote, local = (f"refs/{kind}/{found[1]}{found[2]}" for kind in ("remotes", "heads"))
    return (remote,) if rev.startswith("origin/") else (remote, local, rev)
