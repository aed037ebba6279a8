"""Scratch git repositories for tests: the same content gives the same commit ids, on every machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

FIRST_SECOND = 1_767_225_600
"""2026-01-01T00:00:00Z; each commit is a minute after the one before."""


class GitRepo:
    """A repository in a folder, with a clock and identities of its own; the user's git configuration is ignored."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._minutes = 0
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(path.parent / "home-without-git-configuration"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        """What to hand to Maestro as its environment."""

    @classmethod
    def init(cls, path: Path, *, bare: bool = False, object_format: str = "sha1", branch: str = "main") -> GitRepo:
        """A new, empty repository."""
        path.mkdir(parents=True, exist_ok=True)
        repo = cls(path)
        options = ["--bare"] if bare else []
        repo.git("init", "-q", *options, f"--object-format={object_format}", f"--initial-branch={branch}")
        repo.git("config", "core.autocrlf", "false")
        repo.git("config", "uploadpack.allowFilter", "true")
        repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
        return repo

    def git(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> str:
        """One git command; its standard output without the final newline."""
        time = f"{FIRST_SECOND + 60 * self._minutes} +0000"
        env = self.environ | {
            "GIT_AUTHOR_NAME": "A Developer",
            "GIT_AUTHOR_EMAIL": "dev@acme.example",
            "GIT_AUTHOR_DATE": time,
            "GIT_COMMITTER_NAME": "A Developer",
            "GIT_COMMITTER_EMAIL": "dev@acme.example",
            "GIT_COMMITTER_DATE": time,
            "LC_ALL": "C",
        }
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, cwd=self.path, env=env, input=stdin, capture_output=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"git {arguments} failed: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")

    def write(self, path: str, content: str | bytes) -> Path:
        """Write one file into the working tree; folders are made."""
        data = content.encode() if isinstance(content, str) else content
        full = os.path.join(os.fsencode(self.path), os.fsencode(path))  # noqa: PTH118 - names may be any bytes
        os.makedirs(os.path.dirname(full), exist_ok=True)  # noqa: PTH103, PTH120
        with open(full, "wb") as file:  # noqa: PTH123
            file.write(data)
        return self.path / path

    def commit(
        self,
        files: Mapping[str, str | bytes | None] | None = None,
        message: str = "Change",
        *,
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
    ) -> str:
        """Commit these files (None removes one) with everything else that lies in the working tree.

        Args:
            files: path to content.
            message: the commit's subject.
            links: path to target text.
            submodules: path to the commit it points to (nothing is cloned).

        Returns:
            the commit's id.
        """
        for path, content in (files or {}).items():
            if content is None:
                (self.path / path).unlink()
            else:
                self.write(path, content)
        for path, target in (links or {}).items():
            (self.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / path).symlink_to(target)
        self.git("add", "--all")
        for path, oid in (submodules or {}).items():
            self.git("update-index", "--add", "--cacheinfo", f"160000,{oid},{path}")
        return self._commit(message)

    def commit_tree(self, entries: Mapping[str, tuple[str, str | bytes]], message: str = "Tree") -> str:
        """Commit exactly these entries (path to mode and content) past the disk, onto HEAD: for paths that this disk
        could not hold together. The working tree is left as it is."""
        rows = b""
        for path, (mode, content) in entries.items():
            data = content.encode() if isinstance(content, str) else content
            oid = data.decode() if mode == "160000" else self.git("hash-object", "-w", "--stdin", stdin=data)
            rows += f"{mode} {oid}\t".encode() + os.fsencode(path) + b"\0"
        self.git("read-tree", "--empty")
        self.git("update-index", "-z", "--index-info", stdin=rows)
        return self._commit(message)

    def branch(self, name: str, at: str = "HEAD") -> None:
        """Start a branch and check it out."""
        self.git("checkout", "-q", "-b", name, at)

    def checkout(self, rev: str) -> None:
        """Check a branch out (or a commit, detached)."""
        self.git("checkout", "-q", rev)

    def merge(self, branch: str) -> str:
        """Merge with a merge commit, never fast-forward; its id."""
        self._minutes += 1
        self.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
        return self.head

    def squash_merge(self, branch: str) -> str:
        """Merge as one commit with one parent; its id."""
        self.git("merge", "-q", "--squash", branch)
        return self._commit(f"Squash {branch}")

    def pull_request_merge(self, branch: str, into: str = "main", number: int = 1) -> str:
        """What GitHub makes for a pull request: ``refs/pull/<number>/merge``; its id. Branches stay where they are."""
        before = self.git("rev-parse", "--abbrev-ref", "HEAD")
        self.git("checkout", "-q", "--detach", into)
        merged = self.merge(branch)
        self.git("update-ref", f"refs/pull/{number}/merge", merged)
        self.checkout(before)
        return merged

    def clone(self, path: Path, *options: str) -> GitRepo:
        """A clone through ``file://``, so that depth and filter are honoured."""
        self.git("clone", "-q", *options, f"file://{self.path}", str(path))
        return GitRepo(path)

    def fetch_like_actions_checkout(self, path: Path, ref: str, *, depth: int) -> GitRepo:
        """A clone as actions/checkout makes it: one ref, so many commits of it, HEAD detached there."""
        clone = GitRepo.init(path)
        clone.git("remote", "add", "origin", f"file://{self.path}")
        refspec = f"+{ref}:refs/remotes/{ref.removeprefix('refs/')}"
        clone.git("fetch", "-q", "--no-tags", f"--depth={depth}", "origin", refspec)
        clone.git("checkout", "-q", "--force", f"refs/remotes/{ref.removeprefix('refs/')}")
        return clone

    @property
    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def _commit(self, message: str) -> str:
        self._minutes += 1
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head
