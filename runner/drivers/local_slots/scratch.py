"""Where a command lives: an empty working folder and an empty TMPDIR, nobody else's."""

# pathlib would double the time this takes to start
# ruff: noqa: PTH102, PTH118, PTH208
from __future__ import annotations

import os


class Scratch:
    """The folders of one slot, below ``folder``; used again as long as commands leave them empty."""

    def __init__(self, folder: str, slot: int) -> None:
        self._folder = folder
        self._slot = slot
        self._fresh = 0
        self._use()

    def _use(self) -> None:
        self._root = os.path.join(self._folder, f"{self._slot}-{self._fresh}")
        self.home = os.path.join(self._root, "home")
        self.tmp = os.path.join(self._root, "tmp")

    def enter(self) -> None:
        """Make both folders empty and step into the working folder.

        What a command has made undeletable is left behind until the run ends.

        Raises:
            OSError: they cannot be made.
        """
        if not self._is_clean():
            if os.path.lexists(self._root):
                import shutil  # most runs never need it

                shutil.rmtree(self._root, ignore_errors=True)
            self._fresh += 1
            self._use()
            os.mkdir(self._root, 0o700)
            os.mkdir(self.home, 0o700)
            os.mkdir(self.tmp, 0o700)
        os.chdir(self.home)

    def _is_clean(self) -> bool:
        try:
            return not os.listdir(self.home) and not os.listdir(self.tmp)
        except OSError:
            return False
