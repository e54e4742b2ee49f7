"""Whether the pictures of a stream are transparent anywhere."""

from collections.abc import Iterator

from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_OPAQUE = 255


def is_transparent(stream: VideoStream, first: VideoFrame, more: Iterator[VideoFrame]) -> bool:
    """Whether a stream is transparent in part, by its first frame and, where that is opaque, by `more`.

    Many formats have an alpha that is opaque everywhere. VP8 and VP9 keep theirs where these decoders do not
    look, and say so.
    """
    if any(name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items()):
        return True
    if not any(part.is_alpha for part in first.format.components) and first.format.name != "pal8":
        return False
    return _shows(first) or any(map(_shows, more))


def _shows(frame: VideoFrame) -> bool:
    return int(frame.to_ndarray(format="rgba")[..., 3].min()) < _OPAQUE
