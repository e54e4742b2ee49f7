"""A clip's own alpha comes back in films that can carry it, and is told where it is lost."""

import os
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from faceswap.io.images import read_image
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from stages.encode import Settings, main

WIDTH, HEIGHT, FRAMES = 64, 48, 6
# Half transparent at the left, and a step that moves by its frame's number.
ALPHA = "if(lt(X,16),0.5,if(lt(X,32+4*N),0,1))"
# name -> (file, encoder's options, what a level of alpha may be off by, of 255)
CLIPS = {
    "ProRes 4444": ("data_dst.mov", ["-c:v", "prores_ks", "-profile:v", "4444"], "yuva444p10le", 3),
    "FFV1 RGBA": ("data_dst.mkv", ["-c:v", "ffv1"], "bgra", 1),
    "FFV1 deep": ("data_dst.mkv", ["-c:v", "ffv1"], "gbrap12le", 1),
    "VP9": ("data_dst.webm", ["-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0"], "yuva420p", 24),
    "QuickTime RLE": ("data_dst.mov", ["-c:v", "qtrle"], "argb", 1),
    "PNG": ("data_dst.mov", ["-c:v", "png"], "rgba", 1),
}


def make(folder: Path, name: str, *filters: str) -> Path:
    file, options, layout, _ = CLIPS[name]
    depth = 1023 if "10le" in layout else 4095 if "12le" in layout else 255
    planes = (
        ("r", "g", "b") if layout in ("bgra", "argb", "rgba") or "gbra" in layout else ("lum", "cb", "cr")
    )
    names = ("p(X,Y)",) * 3 if planes[0] == "lum" else ("r(X,Y)", "g(X,Y)", "b(X,Y)")
    kept = ":".join(f"{plane}='{value}'" for plane, value in zip(planes, names, strict=True))
    source = f"testsrc2=size={WIDTH}x{HEIGHT}:rate=25:duration={FRAMES / 25}"
    drawn = layout if layout not in ("bgra", "argb") else "rgba"
    graph = [f"format={drawn}", f"geq={kept}:a='{depth}*{ALPHA}'", *filters, f"format={layout}"]
    folder.mkdir(exist_ok=True)
    command = [ffmpeg_binary(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-vf", ",".join(graph)]
    subprocess.run([*command, *options, str(folder / file)], check=True)
    return folder / file


def expected(number: int) -> np.ndarray:
    x = np.arange(WIDTH)
    return np.where(x < 16, 0.5, np.where(x < 32 + 4 * number, 0, 1))


def merge_unchanged(clip: Path) -> list[str]:
    made = extract([clip], clip.parent / "data_dst", Choice())
    for kind in ("merged", "merged_mask"):
        (clip.parent / "data_dst" / kind).mkdir()
        for frame in made.frames:
            os.link(clip.parent / "data_dst" / frame.name, clip.parent / "data_dst" / kind / frame.name)
    return [frame.name for frame in made.frames]


def encode(clip: Path, *words: str) -> None:
    main(Settings.parse(["--workspace", str(clip.parent), *words]))


def alphas(film: Path) -> list[np.ndarray]:
    """The alpha of each frame in [0, 1]."""
    with av.open(str(film)) as container:
        frames = list(container.decode(video=0))
    assert any(part.is_alpha for part in frames[0].format.components)
    return [frame.to_ndarray(format="rgba64le")[..., 3] / 65535 for frame in frames]


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("codec", ["prores4444", "ffv1"])
def test_the_alpha_of_a_clip_comes_back_in_its_film(
    tmp_path: Path, name: str, codec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make(tmp_path / "w", name)
    assert probe(clip).alpha
    merge_unchanged(clip)
    encode(clip, "--codec", codec)
    assert f"transparent where {clip.name} is" in capsys.readouterr().out
    (film,) = clip.parent.glob("result.*")
    found = alphas(film)
    assert len(found) == FRAMES
    for number, alpha in enumerate(found):
        # Lossy codecs ring beside the steps.
        inner = np.abs(np.subtract.outer(np.arange(WIDTH), [16, 32 + 4 * number])).min(1) > 4
        assert np.abs(alpha - expected(number)[None])[:, inner].max() <= (CLIPS[name][3] + 2) / 255
    (mask_film,) = clip.parent.glob("result_mask.*")
    with av.open(str(mask_film)) as container:
        assert not any(part.is_alpha for part in next(container.decode(video=0)).format.components)


def test_frames_left_out_and_stretched_pixels_take_their_own_alpha_along(tmp_path: Path) -> None:
    clip = make(tmp_path / "w", "FFV1 RGBA", "setsar=2")
    names = merge_unchanged(clip)
    for number in (0, 3):
        (clip.parent / "data_dst" / "merged" / names[number]).unlink()
        (clip.parent / "data_dst" / "merged_mask" / names[number]).unlink()
    encode(clip, "--codec", "png", "--skip-missing")
    pictures = sorted((clip.parent / "result_png").glob("*.png"))
    assert [path.name for path in pictures] == [names[number] for number in (1, 2, 4, 5)]
    for path, number in zip(pictures, (1, 2, 4, 5), strict=True):
        with av.open(str(path)) as container:
            alpha = next(container.decode(video=0)).to_ndarray(format="rgba")[..., 3] / 255
        assert alpha.shape == (HEIGHT, 2 * WIDTH)
        step = 2 * (32 + 4 * number)
        assert np.abs(alpha[:, step + 4 :] - 1).max() <= 0.01
        assert alpha[:, 40 : step - 4].max() <= 0.01
        assert read_image(path).shape == (HEIGHT, 2 * WIDTH, 3)


@pytest.mark.parametrize("name", ["ProRes 4444", "VP9", "QuickTime RLE"])
def test_extracting_says_once_that_a_clip_is_transparent_and_what_becomes_of_it(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    merge_unchanged(make(tmp_path / "w", name))
    assert capsys.readouterr().out.count("takes the alpha from the clip") == 1


@pytest.mark.parametrize("codec", ["h264", "hevc", "prores422"])
def test_alpha_that_a_codec_cannot_keep_is_told_with_those_that_can(
    tmp_path: Path, codec: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make(tmp_path / "w", "PNG")
    merge_unchanged(clip)
    encode(clip, "--codec", codec, "--hardware", "off")
    told = capsys.readouterr().out
    assert f"{codec} cannot keep" in told
    assert "prores4444" in told


def test_a_clip_that_is_gone_leaves_an_opaque_film_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make(tmp_path / "w", "FFV1 RGBA")
    merge_unchanged(clip)
    clip.unlink()
    encode(clip, "--codec", "ffv1")
    assert "opaque, since data_dst.mkv" in capsys.readouterr().out


@pytest.mark.parametrize(("codec", "layout"), [("png", "rgba"), ("ffv1", "bgra"), ("qtrle", "argb")])
def test_an_alpha_that_is_opaque_everywhere_is_none(tmp_path: Path, codec: str, layout: str) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.2"]
    command = [ffmpeg_binary(), "-v", "error", *source, "-vf", f"format={layout}", "-c:v", codec]
    subprocess.run([*command, str(tmp_path / "a.mov" if codec != "ffv1" else tmp_path / "a.mkv")], check=True)
    (clip,) = tmp_path.iterdir()
    assert not probe(clip).alpha


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("alpha", [128, 255])
def test_the_alpha_of_a_folder_of_pictures_is_told_where_it_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, alpha: int
) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    for number in (1, 2):
        Image.new("RGBA", (64, 48), (200, 30, 40, alpha)).save(folder / f"{number}{suffix}")
    main(Settings.of({"workspace": tmp_path, "frames": folder, "fps": 25}))
    said = capsys.readouterr()
    assert ("alpha of the pictures in drawn is left out" in said.out + said.err) == (alpha < 255)
