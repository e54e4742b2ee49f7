import os
import stat

import pytest

from faceswap.errors import UserError
from faceswap.media.codecs import CODECS, Film
from faceswap.media.encoders import choose_film, encoders, works
from faceswap.media.ffmpeg import ffmpeg_binary


@pytest.fixture
def poor(tmp_path):
    """A program that lists encoders as ffmpeg does, few of them, and cannot encode."""
    if os.name == "nt":
        pytest.skip("a shell script stands for the program")
    path = tmp_path / "ffmpeg"
    listing = "Encoders:\n V..... = Video\n ------\n V....D libx264  H.264\n V....D h264_nvenc  H.264\n"
    path.write_text(f"#!/bin/sh\n[ \"$2\" = -encoders ] && printf '{listing}' && exit 0\nexit 1\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_encoder_that_ffmpeg_lacks_is_named_with_what_it_has(poor):
    with pytest.raises(UserError) as caught:
        choose_film("av1", poor)
    assert "libsvtav1 or libaom-av1 or librav1e" in caught.value.found
    assert caught.value.found.endswith("it has h264")


def test_hardware_that_is_listed_but_does_not_work_gives_way_to_software(poor):
    assert choose_film("h264", poor, hardware="auto").coder.name == "libx264"


@pytest.mark.parametrize("name", ["h264", "hevc", "av1"])
def test_whatever_is_chosen_can_encode_here(name):
    binary = ffmpeg_binary()
    if not any(coder.name in encoders(binary) for coder in CODECS[name].coders):
        pytest.skip(f"this ffmpeg has no encoder for {name}")
    for bits in ("8", "10"):
        film = choose_film(name, binary, bits=bits, hardware="auto")
        assert works(film, binary) and film.bits == int(bits)


def test_alpha_is_refused_where_it_would_be_lost_and_those_that_carry_it_are_named():
    with pytest.raises(UserError, match="h264 cannot carry alpha") as caught:
        choose_film("h264", ffmpeg_binary(), alpha=True)
    assert caught.value.found == "these can: prores4444, ffv1, png, tiff, exr"


def test_depths_are_those_of_the_codec():
    binary = ffmpeg_binary()
    with pytest.raises(UserError, match="h264-rgb has no 10 bits") as caught:
        choose_film("h264-rgb", binary, bits="10")
    assert caught.value.hint == "type --bits 8"
    assert [choose_film("hevc", binary, bits="auto", deep=deep).bits for deep in (False, True)] == [8, 10]
    assert [choose_film("png", binary, bits="auto", deep=deep).bits for deep in (False, True)] == [8, 16]
    assert choose_film("prores422", binary, bits="auto").bits == 10


@pytest.mark.parametrize("quality", [0, 16, 51])
def test_options_stay_in_the_range_of_every_encoder(quality):
    """Constant quality runs to 51 in H.264 and HEVC and to 63 in AV1; VideoToolbox counts up to 100."""
    for name, codec in CODECS.items():
        for coder in (*codec.coders, *codec.hardware):
            (bits, alpha) = next(iter(coder.layouts))
            options = Film(name, coder, bits, alpha, quality).options
            top = 255 if coder.name == "librav1e" else 63 if name == "av1" else 51
            for key in ("crf", "qp", "cq", "global_quality"):
                assert 0 <= options.get(key, 0) <= top
            assert 1 <= options.get("q:v", 1) <= 100
