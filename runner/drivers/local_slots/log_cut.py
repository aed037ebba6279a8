"""Keeping a log within its limit while a command writes it, without a pipe in between."""

from __future__ import annotations

import errno
import os
import stat

from runner.drivers.local_slots.journal import write_all

TAIL = 64 << 10


class LogCut:
    """The beginning and the end stay, the middle goes. The disk holds at most what comes between two checks more."""

    def __init__(self, path: str, limit: int) -> None:
        self.path = path
        self.limit = limit
        self.dropped = 0
        self.tail = b""
        self.seen = 0

    def _size(self) -> int:
        try:
            found = os.lstat(self.path)
        except OSError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def check(self) -> bool:
        """Cut, if it is too long by now; whether it has grown since the last look."""
        size = self._size()
        grew, self.seen = size > self.seen, size
        if size <= self.limit + TAIL:
            return grew
        fd = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            new = os.pread(fd, TAIL, max(self.limit, size - TAIL))
            self.tail = (self.tail + new)[-TAIL:]
            size = os.fstat(fd).st_size  # it may have grown while we read
            os.ftruncate(fd, self.limit)
            self.dropped += size - self.limit
            self.seen = self.limit
        finally:
            os.close(fd)
        return True

    def finish(self) -> int:
        """Put the kept end behind the beginning; how many bytes are gone."""
        self.check()
        if not self.dropped:
            return 0
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        try:
            size = os.fstat(fd).st_size
            if size > self.limit:
                self.tail = (self.tail + os.pread(fd, TAIL, max(self.limit, size - TAIL)))[-TAIL:]
                os.ftruncate(fd, self.limit)
                self.dropped += size - self.limit
            gone = max(0, self.dropped - len(self.tail))
            write_all(fd, b"\n[maestro: at least %d bytes left out here]\n" % gone + self.tail)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            gone = self.dropped
        finally:
            os.close(fd)
        return gone
