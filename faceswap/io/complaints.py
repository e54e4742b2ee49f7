"""What ffmpeg says while it decodes pictures: what tells of damage, and what it says of whole clips, too."""

import re

import av

# Bookkeeping and times, said of clips that were cut without encoding and of recordings that were joined.
_HARMLESS = re.compile(
    r"mmco: unref short failure|co located POCs unavailable|number of reference frames|Last message repeated"
    r"|non.?monoton|Header missing|timestamp|Invalid DTS|out of order|Consider increasing"
)
# What the frames before the first key frame, or those that lean on what was before it, are told.
_AT_THE_START = re.compile(
    r"no frame!|[PSV]PS|slice_header|reference picture|ref with POC|frame RPS|undecodable NALU|access unit"
    r"|First slice in a frame missing|MVs not available|Error parsing NAL|Invalid frame dimensions 0x0"
    r"|(submitting packet to decoder|Decoding error): Invalid data",
    re.IGNORECASE,
)


def complaints(said: bytes, start: int | None) -> list[str]:
    """The lines of ffmpeg's log that tell of damaged pictures.

    start: so many bytes of it are about the clip's first frames; None for all of a short clip.
    """
    start = len(said) if start is None else start
    first, rest = (part.decode("utf-8", "replace").splitlines() for part in (said[:start], said[start:]))
    lines = [line.strip() for line in first if not _AT_THE_START.search(line)] + rest
    return [line for line in lines if line.strip() and not _HARMLESS.search(line) and not _of_sound(line)]


def _of_sound(line: str) -> bool:
    """Whether a decoder of sound said it."""
    found = re.match(r"\[(\w+) @ ", line)
    try:
        return found is not None and av.Codec(found[1], "r").type == "audio"
    except ValueError:
        return False
