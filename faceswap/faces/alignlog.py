"""Which frames are aligned already: one line a frame, appended once its crops are on disk."""

import json
from dataclasses import asdict
from pathlib import Path

from faceswap.faces.extract import FrameResult
from faceswap.io.documents import read_lines
from faceswap.io.files import natural_order
from faceswap.types import Json

LOG_NAME = "align.jsonl"


class AlignLog:
    """The log of a faceset's folder. A frame killed half-way has no line and is done again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG_NAME
        self.results = {result.frame: result for result in read_lines(self._path, FrameResult)}
        # A line that a kill cut off must not swallow the next one.
        self._torn = self._path.is_file() and self._path.read_bytes()[-1:] not in (b"", b"\n")

    def append(self, result: FrameResult) -> None:
        """Note one frame; the line is in the file when this returns."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._torn else "") + json.dumps(asdict(result), ensure_ascii=False) + "\n")
        self._torn = False
        self.results[result.frame] = result

    def pending(self, frames: list[Path]) -> list[Path]:
        """Frames still to do: those without a line, and damaged ones whose file is another by now."""
        return [path for path in frames if self._needs_work(path)]

    def changed(self, frames: list[Path]) -> list[str]:
        """Names of aligned frames whose files have another size by now: their faces are of other pictures."""
        known = self.results
        return [
            path.name
            for path in frames
            if path.name in known
            and not known[path.name].damaged
            and known[path.name].bytes != path.stat().st_size
        ]

    def _needs_work(self, path: Path) -> bool:
        known = self.results.get(path.name)
        return known is None or (bool(known.damaged) and known.bytes != path.stat().st_size)

    def summary(self) -> Json:
        """Counts, and the names of frames without a face and of damaged ones."""
        results = self.results.values()
        return {
            "frames": len(results),
            "faces": sum(result.faces for result in results),
            "without_face": sorted(
                (r.frame for r in results if not r.faces and not r.damaged), key=natural_order
            ),
            "damaged": {r.frame: r.damaged for r in results if r.damaged},
        }
