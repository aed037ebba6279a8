"""Where a command lives: an empty working folder and an empty TMPDIR, nobody else's."""

# pathlib would double the time this takes to start
# ruff: noqa: PTH102, PTH118, PTH208
from __future__ import annotations

import os


class Scratch:
    """One command's folders. They lie side by side: one above them both would be a third to make and to remove."""

    __slots__ = ("home", "tmp")

    def __init__(self, name: str) -> None:
        self.home = name
        self.tmp = name + ".tmp"

    def is_clean(self) -> bool:
        """Whether a command left nothing behind."""
        try:
            return not os.listdir(self.home) and not os.listdir(self.tmp)
        except OSError:
            return False


class Scratches:
    """The folders of one process's commands, below ``folder``; used again when a command left them empty."""

    def __init__(self, folder: str, number: int) -> None:
        self._folder = folder
        self._number = number
        self._made = 0
        self._free: list[Scratch] = []

    def take(self) -> Scratch:
        """Empty folders.

        Raises:
            OSError: they cannot be made.
        """
        while self._free:
            one = self._free.pop()
            if one.is_clean():
                return one
        one = Scratch(os.path.join(self._folder, f"{self._number}-{self._made}"))
        self._made += 1
        for path in (one.home, one.tmp):
            os.mkdir(path, 0o700)
        return one

    def give_back(self, one: Scratch) -> None:
        """The command has ended. What it has made undeletable stays until the run ends."""
        if one.is_clean():
            self._free.append(one)
            return
        import shutil  # most runs never need it

        for path in (one.home, one.tmp):
            shutil.rmtree(path, ignore_errors=True)
