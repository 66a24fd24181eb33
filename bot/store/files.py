"""Files that tenants send, on disk: named by what is in them, and there whole or not at all.

Content-addressed, so the same photo sent twice is kept once, and a name that the database knows can only ever mean these bytes.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Incoming:
    """A file while it arrives. Use as a context manager: what was not kept is thrown away."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._path = root / "incoming" / name
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes written so far."""
        self.start = b""
        """The first bytes, by which a file's kind is known."""

    def write(self, chunk: bytes) -> None:
        if len(self.start) < 64:
            self.start = (self.start + chunk)[:64]
        self._hash.update(chunk)
        self._file.write(chunk)
        self.size += len(chunk)

    def keep(self) -> str:
        """Put it in its place, safe against a power cut once this returns. Its digest, by which it is found again."""
        digest = self._hash.hexdigest()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        place = _place(self._root, digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(place)
        for folder in (place.parent, place.parent.parent):
            _sync(folder)
        return digest

    def __enter__(self) -> "Incoming":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class Files:
    """The folder where they lie. Nothing is opened or made before it is used; every method works with the disk, so call
    them off the event loop."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def receive(self, name: str) -> Incoming:
        """Begin to keep a file; `name` is unique among those arriving."""
        return Incoming(self._root, name)

    def keep(self, content: bytes, name: str) -> str:
        """Keep a whole file; returns its digest. `name` is unique among those arriving."""
        with self.receive(name) as incoming:
            incoming.write(content)
            return incoming.keep()

    def path(self, digest: str) -> Path | None:
        """Where a file lies; None if it is not there."""
        if not _DIGEST.fullmatch(digest):
            return None
        place = _place(self._root, digest)
        return place if place.is_file() else None


def _place(root: Path, digest: str) -> Path:
    return root / digest[:2] / digest


def _sync(folder: Path) -> None:
    """A file's name is only on disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
