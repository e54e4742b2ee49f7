import pytest

from faceswap.media.dynamic_range import warn_of_ranges
from faceswap.media.timestamps import read_timestamps
from faceswap.types import Side
from faceswap.workspace import Workspace
from stages import extract_dst, extract_src

PQ = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
HLG = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
SDR = "colorprim=bt709:transfer=bt709:colormatrix=bt709"


def extracted(toy_clip, folder, src, dst, *words):
    for side, tags, stage in ((Side.SRC, src, extract_src), (Side.DST, dst, extract_dst)):
        toy_clip.make(folder / f"data_{side}.mp4", (0, 40, 80), options={"x264-params": tags})
        stage.main(stage.Settings.parse(["--workspace", str(folder), *words]))
    return Workspace(folder)


@pytest.mark.parametrize(("src", "dst", "names"), [(SDR, PQ, "PQ"), (HLG, SDR, "HLG"), (PQ, HLG, "HLG")])
def test_sides_of_different_dynamic_range_are_told(toy_clip, tmp_path, capsys, src, dst, names):
    place = extracted(toy_clip, tmp_path, src, dst)
    capsys.readouterr()
    warn_of_ranges(place)
    told = "".join(capsys.readouterr())
    assert names in told and "--tone-map" in told


@pytest.mark.parametrize("tags", [SDR, PQ, HLG])
def test_sides_of_one_range_are_not_spoken_of(toy_clip, tmp_path, capsys, tags):
    place = extracted(toy_clip, tmp_path, tags, tags)
    capsys.readouterr()
    warn_of_ranges(place)
    assert not "".join(capsys.readouterr())


@pytest.mark.parametrize("tags", [PQ, HLG])
def test_tone_mapped_frames_are_sdr_and_not_mixed_with_others(toy_clip, tmp_path, tags):
    place = extracted(toy_clip, tmp_path, SDR, tags, "--tone-map")
    record = read_timestamps(place.frames(Side.DST))
    assert record.choice.tone_map and record.clips[0].color.dynamic_range == "SDR"
    with pytest.raises(Exception, match="other frames") as caught:
        extract_dst.main(extract_dst.Settings.parse(["--workspace", str(tmp_path)]))
    assert "tone_map" in str(caught.value.found)
