"""A growing file of lines, read a piece at a time."""

from pathlib import Path

# Of what was read, this much is compared: losses never repeat to the last digit.
_MARK_BYTES = 256


class Tail:
    """The whole lines of `path` as they come.

    Nothing is known of who writes: a file that was cut, replaced or deleted is read anew from its start, one
    that another machine copies again and again goes on where it was.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._mark = path, 0, b""
        self.behind = False

    def read(self, most: int = 1 << 20) -> tuple[list[bytes], bool]:
        """Lines that are new, from at most `most` bytes, and whether those before them are no longer true.

        The last line is left until its end is written. Raises OSError where the disk does not answer.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset - len(self._mark))
                anew = file.read(len(self._mark)) != self._mark
                if anew:
                    self._offset, self._mark = 0, b""
                    file.seek(0)
                piece = file.read(most)
        except FileNotFoundError:
            anew, piece = self._offset > 0, b""
            self._offset, self._mark = 0, b""
        self.behind = len(piece) == most
        # What has no end in a full piece is no line.
        whole = piece[: piece.rfind(b"\n") + 1] or (piece if self.behind else b"")
        self._offset += len(whole)
        self._mark = (self._mark + whole)[-_MARK_BYTES:]
        return whole.splitlines(), anew
