"""The shape that a film gets from frames with square pixels: that of the clip they were taken from."""

from dataclasses import dataclass

from faceswap.media.probe.geometry import Aspect
from faceswap.media.probe.video import Clip


@dataclass(frozen=True)
class FilmShape:
    """Of what part of the frames' width and height the film's pictures are, and the shape of their pixels."""

    across: float = 1.0
    down: float = 1.0
    sample_aspect: Aspect = (1, 1)

    @property
    def scaling(self) -> dict[str, str]:
        """Options of ffmpeg's scale; none where the size stays."""
        if self.across == self.down == 1:
            return {}
        return {"w": f"floor(iw*{self.across:.10g}+0.5)", "h": f"floor(ih*{self.down:.10g}+0.5)"}

    def padding(self, frame: tuple[int, ...], even: tuple[bool, bool]) -> tuple[int, int]:
        """Lines and columns that frames (H, W, …) lack, so that height and width of the film are even."""
        sides = ((frame[0], self.down, even[0]), (frame[1], self.across, even[1]))
        bottom, right = (_missing(*side) for side in sides)
        return bottom, right


def _missing(length: int, part: float, even: bool) -> int:
    stored = int(length * part + 0.5)
    return int((stored + 1) / part + 0.5) - length if even and stored % 2 else 0


def film_shape(clip: Clip | None) -> FilmShape:
    """The shape of a film of the frames of `clip`: its own, square where its pictures had several."""
    if clip is None or clip.geometry.shapes:
        return FilmShape()
    width, height = clip.frame_size
    return FilmShape(clip.width / width, clip.height / height, clip.sample_aspect)
