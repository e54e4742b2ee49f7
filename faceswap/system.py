"""What Linux must have that pip cannot carry: shared libraries, and the line that brings them."""

import ctypes
import re
import sys

from faceswap.errors import UserError

# Shared library -> Debian's package and what wants it. Found by `ldd` over every wheel in a root file system
# that holds nothing but Python; packages that these pull in are left out.
LIBRARIES = {
    "libGL.so.1": ("libgl1", "OpenCV and the windows"),
    "libxcb.so.1": ("libxcb1", "OpenCV"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "OpenCV"),
    "libEGL.so.1": ("libegl1", "the windows"),
    "libxkbcommon.so.0": ("libxkbcommon0", "the windows"),
    "libdbus-1.so.3": ("libdbus-1-3", "the windows"),
    "libfontconfig.so.1": ("libfontconfig1", "the windows"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "the windows on a screen"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "the windows on a screen"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "the windows on a screen"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "the windows on a screen"),
    "libxcb-shape.so.0": ("libxcb-shape0", "the windows on a screen"),
}
PACKAGES = tuple(package for package, _ in LIBRARIES.values())
HINT = f"on Debian and Ubuntu type: apt-get install -y {' '.join(PACKAGES)}"


def missing_libraries() -> dict[str, str]:
    """Every library that this system lacks -> what wants it; empty on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return {}
    return {name: use for name, (_, use) in LIBRARIES.items() if not _loads(name)}


def explain_import(error: ImportError) -> UserError | None:
    """The sentence for an import that failed because the system lacks a shared library, else None."""
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", str(error))
    if found is None:
        return None
    others = [f"{name} ({use})" for name, use in missing_libraries().items()]
    return UserError(
        f"this system lacks {found[1]}, which pip cannot install",
        f"missing altogether: {', '.join(others)}" if others else "",
        HINT,
    )


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(*PACKAGES)
