"""The sound tracks of a clip, and how each travels into another file."""

from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream

from faceswap.media.probe.video import codec_name

# What players read in each kind of file as it is; everything else is encoded anew.
_KNOWN = {"aac", "mp3", "ac3", "eac3", "alac"}
_PCM = {f"pcm_{kind}" for kind in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be")}
_CARRIED = {
    ".mp4": _KNOWN | {"opus"},
    ".mov": _KNOWN | _PCM,
    ".mkv": _KNOWN | _PCM | {"opus", "flac", "vorbis", "dts", "truehd", "mp2", "wavpack", "tta"},
}
# mp4 has no uncompressed sound that players read; elsewhere nothing need be lost.
_INSTEAD = {".mp4": "aac", ".mov": "pcm_s24le", ".mkv": "pcm_s24le"}
# QuickTime knows languages by ISO 639-2/B alone; these differ from their terminological codes.
_BIBLIOGRAPHIC = {
    "sqi": "alb", "hye": "arm", "eus": "baq", "mya": "bur", "zho": "chi", "ces": "cze", "nld": "dut",
    "fra": "fre", "kat": "geo", "deu": "ger", "ell": "gre", "isl": "ice", "mkd": "mac", "mri": "mao",
    "msa": "may", "fas": "per", "ron": "rum", "slk": "slo", "bod": "tib", "cym": "wel",
}  # fmt: skip


@dataclass(frozen=True)
class Track:
    """One sound track: its codec by ffmpeg's name, channels, language (ISO 639) and title, or "".

    index: its place among the clip's sound tracks; stream: among all its streams.
    tag: what the file calls the codec, where known.  is_decodable: whether it can be encoded anew.
    """

    codec: str
    channels: int
    language: str = ""
    title: str = ""
    index: int = 0
    stream: int = 0
    tag: str = ""
    is_decodable: bool = True

    @property
    def name(self) -> str:
        """Number, codec, language and title, for people."""
        codec = self.codec if self.is_decodable else self.tag or "of an unknown codec"
        return " ".join(filter(None, (str(self.index), codec, self.language, self.title)))

    def becomes(self, suffix: str) -> str:
        """The codec it is encoded as in a file of `suffix`, or "copy" where it can travel as it is."""
        return "copy" if self.codec in _CARRIED[suffix] or not self.is_decodable else _INSTEAD[suffix]


@dataclass(frozen=True)
class Sound:
    """All tracks of the clip at `path`, whose clock begins at `origin_s`."""

    path: Path
    origin_s: float
    tracks: tuple[Track, ...]

    def options(self, suffix: str, source: int) -> dict[str, object]:
        """ffmpeg's output options for a file of `suffix` that takes every track, in order, with its names.

        source: the number of the clip among ffmpeg's inputs.
        """
        options: dict[str, object] = {}
        for number, track in enumerate(self.tracks):
            options[f"c:a:{number}"] = track.becomes(suffix)
            if track.becomes(suffix) == "aac":
                options[f"b:a:{number}"] = f"{96 * max(2, track.channels)}k"
            options[f"map_metadata:s:a:{number}"] = f"{source}:s:{track.stream}"
            if track.title:
                # The only name of a track that all programs read in mp4.
                options[f"metadata:s:a:{number}"] = f"handler_name={track.title}"
            if suffix == ".mov" and track.language in _BIBLIOGRAPHIC:
                options[f"metadata:s:{number + 1}"] = f"language={_BIBLIOGRAPHIC[track.language]}"
        return options


def read_sound(path: Path) -> Sound | None:
    """The sound of a clip that `faceswap.media.probe.video.probe` has read; None where it is silent."""
    with av.open(str(path.resolve()), metadata_errors="replace") as container:
        tracks = tuple(_track(index, stream) for index, stream in enumerate(container.streams.audio))
        return Sound(path, (container.start_time or 0) / 1_000_000, tracks) if tracks else None


def _track(index: int, stream: AudioStream) -> Track:
    context = stream.codec_context
    # A track of no channels or rate is declared but empty.
    decodable = context is not None and context.channels > 0 and context.sample_rate > 0
    return Track(
        codec_name(stream),
        context.channels if context is not None else 0,
        stream.metadata.get("language", ""),
        stream.metadata.get("title", ""),
        index,
        stream.index,
        context.codec_tag.strip("\0") if context is not None else "",
        decodable,
    )
