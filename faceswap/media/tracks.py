"""Which sound tracks a file can take: tried where a codec is unknown, the others left out by name."""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import ffmpeg

from faceswap.console import warn
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.sound import Sound, Track

# A few packets tell whether a container takes a codec.
_PACKETS = 3


def fitting(sound: Sound | None, target: Path) -> Sound | None:
    """The tracks that can travel into a file like `target`; a warning names those that are left out."""
    if sound is None or all(track.is_decodable for track in sound.tracks):
        return sound
    names = _names(sound.path)
    tracks = [track if track.is_decodable else _named(track, names) for track in sound.tracks]
    kept = tuple(track for track in tracks if track.is_decodable or _copies(sound, track, target.suffix))
    left_out = [track.name for track in tracks if track not in kept]
    if left_out:
        why = f"{target.suffix[1:]} cannot take it as it is and no decoder is known"
        warn(f"{target.name}: sound track {', '.join(left_out)} is left out, because {why}")
    return replace(sound, tracks=kept) if kept else None


def _named(track: Track, names: Mapping[int, str]) -> Track:
    return replace(track, tag=names.get(track.stream, track.tag))


def _copies(sound: Sound, track: Track, suffix: str) -> bool:
    """Whether ffmpeg copies the first packets of a track that cannot be decoded into such a file."""
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / f"tried{suffix}"
        source = ffmpeg.input(str(sound.path.resolve()))[str(track.stream)]
        command = source.output(str(tried), acodec="copy", frames=_PACKETS).compile(cmd=ffmpeg_binary())
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode == 0 and tried.is_file() and tried.stat().st_size > 0


def _names(path: Path) -> Mapping[int, str]:
    """ffmpeg's name and the file's tag of the codec of each sound stream."""
    command = [ffmpeg_binary(), "-hide_banner", "-nostdin", "-i", str(path.resolve())]
    told = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stderr
    found = re.findall(r"Stream #0:(\d+)[^\n]*?: Audio: ([^,\n]+)", told)
    return {int(number): codec.strip() for number, codec in found}
