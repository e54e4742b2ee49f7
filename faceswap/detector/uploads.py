"""Where a service keeps the files that it was sent: a folder of its own, removed also after it was killed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faceswap.io.files import lock_file

_PREFIX = "faceswap-serve-"
_LOCK = "lock"
# A folder has no lock yet for a moment after it is made.
_SETTLED_S = 60


@contextmanager
def upload_folder() -> Iterator[Path]:
    """A private folder until the block ends; those of services that were killed are removed first."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / _LOCK).open("wb") as claim:
            with suppress(OSError):
                lock_file(claim.fileno())
            yield folder


def _remove_leftovers(place: Path) -> None:
    """Remove the folders in `place` whose services are gone: a living one holds its own locked."""
    for folder in place.glob(f"{_PREFIX}*"):
        # What is somebody else's, vanishes meanwhile or is locked stays.
        with suppress(OSError):
            status = folder.lstat()
            if folder.is_symlink() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
                continue
            if (folder / _LOCK).is_file():
                with (folder / _LOCK).open("rb") as claim:
                    lock_file(claim.fileno())
            elif status.st_mtime > time.time() - _SETTLED_S:
                continue
            shutil.rmtree(folder)
