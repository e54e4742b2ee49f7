"""A clip whose frames were tone-mapped becomes a film that says it is SDR: its pixels are."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from faceswap.media.extract import extract
from faceswap.media.timestamps import Choice
from stages.encode import Settings, main

TIMES_MS = (0, 40, 80)
BT709 = 1


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize(("tone_map", "bits"), [(True, 8), (True, 10), (False, 10)])
def test_the_tags_are_those_of_the_pixels(
    toy_clip: SimpleNamespace, tmp_path: Path, transfer: str, tone_map: bool, bits: int
) -> None:
    tags = {"x264-params": f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"}
    source = tmp_path / "data_dst.mp4"
    toy_clip.make(source, TIMES_MS, size=(96, 64), pix_fmt="yuv420p10le", draw=toy_clip.pastels, options=tags)
    frames = tmp_path / "data_dst"
    made = extract([source], frames, Choice(tone_map=tone_map))
    (frames / "merged").mkdir()
    for frame in made.frames:
        shutil.copy(frames / frame.name, frames / "merged")
    main(Settings.parse(["--workspace", str(tmp_path), "--hardware", "off", "--bits", str(bits)]))
    with av.open(str(tmp_path / "result.mp4")) as container:
        first = next(container.decode(video=0))
    written = tuple(int(tag) for tag in (first.colorspace, first.color_primaries, first.color_trc))
    hdr = (9, 9, {"smpte2084": 16, "arib-std-b67": 18}[transfer])  # ITU-T H.273
    assert written == ((BT709, BT709, BT709) if tone_map else hdr)
