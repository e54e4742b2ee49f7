"""What finished films are encoded as: the settings that stages.encode and a stream of stages.merge share."""

from pathlib import Path

from faceswap.config import StageSettings, option
from faceswap.console import say
from faceswap.media.codecs import CODECS, CodecName, Film
from faceswap.media.encoders import Bits, Hardware, choose_film
from faceswap.media.ffmpeg import ffmpeg_binary


class FilmSettings(StageSettings):
    """How a film is encoded."""

    codec: CodecName = option(
        "h264", "what the video is encoded as; where ffmpeg lacks it, it is said what it has"
    )
    quality: int = option(
        16, "of h264, hevc and av1, on x264's CRF scale: 18 looks lossless, 51 is worst", ge=0, le=51
    )
    bits: Bits = option("auto", "bits a channel; auto is more than 8 where the frames and the codec have it")
    alpha: bool = option(
        False,
        "carry the merged masks as alpha instead of in a video of their own: straight in png, tiff, "
        "prores4444 and ffv1, premultiplied in exr (colours are multiplied by it)",
    )
    hardware: Hardware = option("auto", "encode h264, hevc and av1 on the graphics card where that works")
    sound: bool = option(True, "take the clip's sound along")

    def target(self, video: Path) -> Path:
        """`video` as the file or folder that it will be kept in; its masks are named after it."""
        return _kept_in(video, self.codec)

    def film(self, deep: bool, alpha: bool = False) -> Film:
        """What these settings ask for, told to the user; deep: the frames have more than 8 bits a channel.

        alpha: it carries one, whether or not masks are asked for as such.

        Raises UserError where the codec or the ffmpeg at hand cannot do it.
        """
        film = choose_film(
            self.codec, ffmpeg_binary(), quality=self.quality, bits=self.bits, deep=deep,
            alpha=self.alpha or alpha, hardware=self.hardware,
        )  # fmt: skip
        kind = f", with {alpha_kind(film)} alpha" * film.alpha
        say(f"{film.name} by {film.coder.name}, {film.bits} bits a channel{kind}")
        if film.name == "h264" and film.bits == 10:
            say("many players show no H.264 of 10 bits: --codec hevc is for them, or --bits 8")
        return film


def alpha_kind(film: Film) -> str:
    """How colours and alpha go together, as each format means it."""
    return "premultiplied" if film.name == "exr" else "straight"


def kept_in(video: Path, film: Film) -> Path:
    """`video` as the file or folder that the codec is kept in."""
    return _kept_in(video, film.name)


def _kept_in(video: Path, codec: str) -> Path:
    suffix = CODECS[codec].suffix
    return video.with_suffix(suffix) if suffix else video.with_name(f"{video.stem}_{codec}")
