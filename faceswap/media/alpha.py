"""The alpha of a destination clip: noticed when it is read, decoded again when its film is written.

Frames, faces and merged pictures are opaque; nothing of the alpha is stored between, so that it follows every
choice and deletion by the times of the frames.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from faceswap.console import say
from faceswap.errors import UserError
from faceswap.media.codecs import CODECS, CodecName
from faceswap.media.extract import timed_frames
from faceswap.media.ffmpeg import alpha_command, ffmpeg_binary
from faceswap.media.pipes import Decoder
from faceswap.media.probe.video import Clip, fingerprint
from faceswap.media.timing import Timing
from faceswap.types import Frame, Mask

# Times are rounded to millionths.
_SAME_S = 0.0005


def carried_alpha(timing: Timing, codec: CodecName, label: str) -> Clip | None:
    """The clip whose own alpha a film of `codec` is to carry, None where there is none or it cannot.

    What is lost is said.
    """
    clip = timing.clip
    if clip is None or not clip.alpha:
        return None
    if not CODECS[codec].has_alpha:
        keep = ", ".join(name for name, other in CODECS.items() if other.has_alpha)
        say(f"{label}: {clip.path.name} is transparent in part, which {codec} cannot keep; these can: {keep}")
        return None
    if not clip.path.is_file() or fingerprint(clip.path) != clip.fingerprint:
        say(f"{label}: opaque, since {clip.path.name}, which has the alpha, is gone or has changed")
        return None
    say(f"{label}: transparent where {clip.path.name} is")
    return clip


def alpha_of(clip: Clip, times_s: Sequence[float]) -> Iterator[Mask]:
    """Yield the alpha (H, W) in [0, 1] of the clip's frames at these times, which ascend.

    Raises UserError when the clip has no frame at one of them.
    """
    wanted = iter(times_s)
    next_s = next(wanted, None)
    deep = clip.bit_depth > 8
    with Decoder(alpha_command(clip, deep, ffmpeg_binary())) as decoder:
        for time_s, frame in timed_frames(decoder, clip):
            if next_s is None:
                return
            if time_s >= next_s - _SAME_S:
                yield _as_mask(frame)
                next_s = next(wanted, None)
    if next_s is not None:
        found = f"none at {next_s:.3f} s"
        raise UserError(f"{clip.path} does not give the frames it has", found, "extract it again")


def _as_mask(frame: Frame) -> Mask:
    return frame[..., 0].astype(np.float32) / np.float32(np.iinfo(frame.dtype).max)
