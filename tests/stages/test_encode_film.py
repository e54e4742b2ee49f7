"""Every codec of stages.encode, decoded again and compared with what went in."""

from fractions import Fraction

import av
import ffmpeg
import numpy as np
import pytest

from faceswap.errors import UserError
from faceswap.io.images import read_image, write_image, write_mask
from faceswap.io.light import linear_table
from faceswap.media.codecs import CODECS
from faceswap.media.encode import NOTE
from faceswap.media.encoders import encoders
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.probe.video import probe
from faceswap.media.timestamps import Choice
from stages.encode import Settings, main

FILMS = [name for name, codec in CODECS.items() if codec.suffix]
SEQUENCES = {"png": "png", "tiff": "tif", "exr": "exr"}
TIMES_MS = (80, 113, 130, 280, 313, 580, 590, 623)
# BT.2020 with the PQ curve in full range: everything that a converter could take for granted is different.
HDR = {"x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:fullrange=on"}
HDR_CODES = (9, 9, 16, 2)
SIZE = (96, 64)
# Codec, language and title; they begin at zero, so that the clip's clock does too.
TRACKS = (("aac", "eng", "Dialogue"), ("pcm_s16le", "deu", "Sprache"))


def smooth(number, width, height):
    """Colours that change slowly, so that halving their resolution loses next to nothing."""
    y, x = np.mgrid[:height, :width]
    planes = [0.2 + 0.6 * x / width, 0.2 + 0.6 * y / height, np.full(x.shape, 0.3 + 0.04 * number)]
    return np.rint(np.stack(planes, -1) * 65535).astype(np.uint16)


def smooth8(number, width, height):
    return (smooth(number, width, height) / 257).round().astype(np.uint8)


def alpha(width=SIZE[0], height=SIZE[1]):
    y, x = np.mgrid[:height, :width]
    return ((3 * x + 5 * y) % 256 / 255).astype(np.float32)


def needs(codec):
    listed = encoders(ffmpeg_binary())
    if not any(coder.name in listed for coder in CODECS[codec].coders):
        pytest.skip(f"this ffmpeg has no encoder for {codec}")


@pytest.fixture
def job(toy_clip, tmp_path):
    """A workspace w: its clip, its frames, merged frames that are other ones, and masks."""

    def make(deep=True, options=HDR, tracks=(), name="data_dst.mkv"):
        folder, clip = tmp_path / "w/data_dst", tmp_path / "w" / name
        facts = {"pix_fmt": "yuv420p10le", "pixels": "rgb48le", "draw": smooth} if deep else {"draw": smooth8}
        bare = toy_clip.make(tmp_path / "bare.mkv", TIMES_MS, size=SIZE, options=options, **facts)
        with_tracks(toy_clip, bare, clip, tracks)
        made = extract([clip], folder, Choice())
        for number, frame in enumerate(made.frames):
            picture = (smooth if deep else smooth8)(number, *SIZE)
            write_image(folder / "merged" / frame.name, picture)
            write_mask(folder / "merged_mask" / frame.name, alpha())
        return clip

    return make


def with_tracks(toy_clip, video, target, tracks):
    """The pictures of `video` with a sound track for each (codec, language, title)."""
    clips = [toy_clip.make(target.parent / f"{n}.mkv", (0, 700), sound=t[0]) for n, t in enumerate(tracks)]
    inputs = [ffmpeg.input(str(video))["v"], *(ffmpeg.input(str(clip))["a"] for clip in clips)]
    target.parent.mkdir(exist_ok=True)
    # Names given twice, which ffmpeg-python cannot: once by the track's number, once by the stream's.
    told = {f"metadata:s:a:{n}": f"language={t[1]}" for n, t in enumerate(tracks)}
    told |= {f"metadata:s:{n + 1}": f"title={t[2]}" for n, t in enumerate(tracks)}
    ffmpeg.output(*inputs, str(target), c="copy", **told).global_args("-copyts").run(
        cmd=ffmpeg_binary(), quiet=True, overwrite_output=True
    )
    for clip in clips:
        clip.unlink()


def encode(tmp_path, *words):
    main(Settings.parse(["--workspace", str(tmp_path / "w"), "--hardware", "off", *words]))


def decoded(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def rgb(frame, layout="rgb48le"):
    """The frame as RGB in [0, 1], by the matrix and range that it is tagged with, as libav does by itself."""
    pixels = frame.to_ndarray(format=layout)
    return pixels / (np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)


def codes(frame):
    return tuple(
        int(c) for c in (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    )


@pytest.mark.parametrize("codec", FILMS)
def test_times_depth_colours_and_tags_are_the_clips_and_the_film_is_marked(job, tmp_path, codec):
    needs(codec)
    job(tracks=TRACKS[:1])
    encode(tmp_path, "--codec", codec, "--quality", "2")
    kind = CODECS[codec]
    result = tmp_path / f"w/result{kind.suffix}"
    frames = decoded(result)
    assert [1000 * f.time for f in frames] == pytest.approx(TIMES_MS, abs=1)
    # ProRes of 4444 is decoded in the 12 bits that its format allows.
    assert probe(result).bit_depth >= kind.depths[-1] and (probe(result).bit_depth > 8) == (
        kind.depths[-1] > 8
    )
    matrix, primaries, transfer, span = HDR_CODES
    wanted = (
        (0, primaries, transfer, 2)
        if kind.rgb
        else (matrix, primaries, transfer, 1 if kind.limited else span)
    )
    assert codes(frames[0]) == wanted
    # Conversion by another matrix or range than the tagged one is off by ten and more of 255.
    for number in (0, 5):
        assert np.abs(rgb(frames[number]) - smooth(number, *SIZE) / 65535).max() < 4 / 255
    assert probe(tmp_path / f"w/result_mask{kind.suffix}").codec == probe(result).codec
    with av.open(str(result)) as container:
        assert {key.lower(): text for key, text in container.metadata.items()}["comment"] == NOTE


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "ffv1"])
def test_eight_bits_stay_eight_unless_more_are_asked_for(job, tmp_path, codec):
    needs(codec)
    job(deep=False, options={})
    encode(tmp_path, "--codec", codec)
    result = tmp_path / f"w/result{CODECS[codec].suffix}"
    assert probe(result).bit_depth == 8
    encode(tmp_path, "--codec", codec, "--bits", "10")
    assert probe(result).bit_depth == 10


@pytest.mark.parametrize(("codec", "deep"), [("ffv1", True), ("ffv1", False), ("h264-rgb", False)])
def test_what_is_called_lossless_gives_every_value_back(job, tmp_path, codec, deep):
    needs(codec)
    job(deep=deep)
    encode(tmp_path, "--codec", codec)
    frame = decoded(tmp_path / "w/result.mkv")[3]
    got = frame.to_ndarray(format="gbrp16le" if deep else "rgb24")
    assert np.array_equal(got, (smooth if deep else smooth8)(3, *SIZE))


@pytest.mark.parametrize(("codec", "bound"), [("ffv1", 1e-4), ("prores4444", 0.5 / 255)])
def test_alpha_of_films_is_the_merged_mask_and_straight(job, tmp_path, codec, bound):
    """ProRes keeps alpha without loss, in the 10 bits that ffmpeg's encoder takes: half a step of 255."""
    needs(codec)
    job()
    encode(tmp_path, "--codec", codec, "--alpha")
    result = tmp_path / f"w/result{CODECS[codec].suffix}"
    for frame in decoded(result):
        assert frame.format.has_palette is False and "a" in frame.format.name
        planes = rgb(frame, "rgba64le")
        assert np.abs(planes[..., 3] - alpha()).max() <= bound
    # Straight: where alpha is zero the colours are still there.
    hidden = alpha() == 0
    assert np.abs(planes[hidden][:, :3] - smooth(7, *SIZE)[hidden] / 65535).max() < 0.02
    assert not (tmp_path / f"w/result_mask{CODECS[codec].suffix}").exists()


@pytest.mark.parametrize(
    ("codec", "sounds"),
    [("h264", ["aac", "aac"]), ("prores422", ["aac", "pcm_s16le"]), ("ffv1", ["aac", "pcm_s16le"])],
)
def test_all_sound_tracks_come_along_in_step_and_by_name(job, toy_clip, tmp_path, codec, sounds):
    needs(codec)
    clip = job(tracks=TRACKS)
    encode(tmp_path, "--codec", codec)
    result = tmp_path / f"w/result{CODECS[codec].suffix}"
    with av.open(str(result)) as container:
        tracks = container.streams.audio
        assert [t.codec_context.name for t in tracks] == sounds
        # QuickTime has the older of the two codes for German.
        assert [t.metadata.get("language") for t in tracks] == [
            "eng",
            "ger" if codec == "prores422" else "deu",
        ]
        names = [t.metadata.get("title") or t.metadata.get("handler_name") for t in tracks]
        assert names == ["Dialogue", "Sprache"]
    for number in (0, 1):
        alone = toy_clip.rewrap(result, tmp_path / "alone.mkv", {"map": f"0:a:{number}"}, copyts=None)
        assert toy_clip.click_s(alone) == pytest.approx(toy_clip.click_s(clip), abs=0.02)


@pytest.mark.parametrize(("codec", "suffix"), SEQUENCES.items())
@pytest.mark.parametrize("deep", [False, True])
def test_a_sequence_holds_every_value_alpha_and_the_note(job, tmp_path, codec, suffix, deep):
    job(deep=deep)
    encode(tmp_path, "--codec", codec, "--alpha")
    path = tmp_path / f"w/result_{codec}/00004.{suffix}"
    (frame,) = decoded(path)
    want = (smooth if deep else smooth8)(3, *SIZE)
    assert NOTE.encode() in path.read_bytes()
    if codec == "exr":
        halves = [
            np.frombuffer(plane, np.float16).reshape(SIZE[1], -1)[:, : SIZE[0]] for plane in frame.planes
        ]
        got = np.stack([halves[n] for n in (2, 0, 1, 3)], -1).astype(np.float32)
        light = linear_table("smpte2084")[want if deep else want.astype(np.uint16) * 257]
        light *= np.rint(alpha() * 255)[..., None] / 255
        # Half floats have eleven digits.
        assert np.allclose(got[..., :3], light, rtol=2**-10)
        assert np.abs(got[..., 3] - alpha()).max() <= 0.5 / 255
        return
    got = frame.to_ndarray(format=frame.format.name)
    assert np.array_equal(got[..., :3], want)
    assert np.array_equal(got[..., 3], np.rint(alpha() * np.iinfo(want.dtype).max))
    if codec == "png":
        assert codes(frame) == (0, 9, 16, 2)


@pytest.mark.parametrize(("codec", "suffix"), SEQUENCES.items())
@pytest.mark.parametrize("deep", [False, True])
def test_a_sequence_with_alpha_is_read_back_with_its_colours(job, tmp_path, codec, suffix, deep):
    job(deep=deep)
    encode(tmp_path, "--codec", codec, "--alpha")
    frame = read_image(tmp_path / f"w/result_{codec}/00004.{suffix}")
    want = (smooth if deep else smooth8)(3, *SIZE)
    if codec != "exr":
        assert np.array_equal(frame, want)
        return
    # By the curve of the clip, which the file names; where alpha is small, little is left of the colours.
    seen = alpha() > 0.2
    want = want if deep else want.astype(np.uint16) * 257
    assert np.abs(frame.astype(int) - want)[seen].max() < 65535 / 500


@pytest.mark.parametrize(("options", "transfer"), [({}, "bt709"), (HDR, "smpte2084")])
def test_another_program_lays_openexr_over_a_background_as_it_was_meant(job, tmp_path, options, transfer):
    """The Porter-Duff `over` of OpenImageIO, as of any compositing program, takes premultiplied colours."""
    oiio = pytest.importorskip("OpenImageIO", reason="it stands for a compositing program")
    job(deep=True, options=options)
    encode(tmp_path, "--codec", "exr", "--alpha")
    front = oiio.ImageBuf(str(tmp_path / "w/result_exr/00004.exr"))
    back = oiio.ImageBuf(oiio.ImageSpec(*SIZE, 4, "float"))
    oiio.ImageBufAlgo.fill(back, (0.18, 0.18, 0.18, 1.0))
    laid = oiio.ImageBufAlgo.over(front, back).get_pixels(oiio.FLOAT)
    light, part = linear_table(transfer)[smooth(3, *SIZE)], alpha()[..., None]
    assert np.allclose(laid[..., :3], light * part + 0.18 * (1 - part), rtol=5e-3, atol=2e-3)


def test_the_pictures_of_a_sequence_are_read_by_other_programs(job, tmp_path):
    """OpenCV and PIL stand for them."""
    from PIL import Image

    job(deep=False, options={})
    for codec in ("png", "tiff"):
        encode(tmp_path, "--codec", codec, "--alpha")
    folder = tmp_path / "w"
    assert np.array_equal(read_image(folder / "result_png/00001.png"), smooth8(0, *SIZE))
    assert Image.open(folder / "result_png/00001.png").text["Comment"] == NOTE
    with Image.open(folder / "result_tiff/00001.tif") as picture:
        assert picture.tag_v2[270] == NOTE
        # TIFF 6.0: 2 is unassociated, which is straight, alpha.
        assert picture.tag_v2[338] == (2,)
        assert np.array_equal(np.asarray(picture)[..., :3], smooth8(0, *SIZE))


def test_a_sequence_becomes_a_film_again_with_its_times_and_sound(job, toy_clip, tmp_path):
    clip = job(tracks=TRACKS[:1])
    encode(tmp_path, "--codec", "png")
    main(Settings.parse(["--frames", str(tmp_path / "w/result_png"), "--hardware", "off"]))
    result = tmp_path / "w/result_png.mp4"
    assert [1000 * f.time for f in decoded(result)] == pytest.approx(TIMES_MS, abs=1)
    assert toy_clip.click_s(result) == pytest.approx(toy_clip.click_s(clip), abs=0.02)
    assert probe(result).color == probe(clip).color


def test_any_folder_of_pictures_is_a_video_beside_it_and_never_replaces_one_unasked(tmp_path):
    for number in range(4):
        write_image(tmp_path / f"shots/take {number}.png", smooth8(number, *SIZE))
    words = ["--frames", str(tmp_path / "shots"), "--hardware", "off"]
    with pytest.raises(UserError, match="not known when"):
        main(Settings.parse(words))
    main(Settings.parse([*words, "--fps", "12.5"]))
    frames = decoded(tmp_path / "shots.mp4")
    assert [f.time for f in frames] == pytest.approx([0, 0.08, 0.16, 0.24], abs=0.001)
    with av.open(str(tmp_path / "shots.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(25, 2)
        assert container.metadata["comment"].startswith("Synthetic media")
    with pytest.raises(UserError, match="there already"):
        main(Settings.parse([*words, "--fps", "5"]))
    main(Settings.parse([*words, "--fps", "5", "--again"]))
    assert decoded(tmp_path / "shots.mp4")[1].time == pytest.approx(0.2, abs=0.001)


def test_a_folder_of_other_things_is_never_replaced(job, tmp_path):
    job(deep=False, options={})
    (tmp_path / "w/result_png").mkdir()
    (tmp_path / "w/result_png/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        encode(tmp_path, "--codec", "png")
    assert [path.name for path in (tmp_path / "w/result_png").iterdir()] == ["notes.txt"]


def test_a_fault_in_the_middle_leaves_the_older_sequence(job, tmp_path):
    job(deep=False, options={})
    encode(tmp_path, "--codec", "tiff")
    before = {path.name: path.read_bytes() for path in (tmp_path / "w/result_tiff").iterdir()}
    (tmp_path / "w/data_dst/merged/00006.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"00006\.png is damaged"):
        encode(tmp_path, "--codec", "tiff")
    assert {path.name: path.read_bytes() for path in (tmp_path / "w/result_tiff").iterdir()} == before
    assert not list((tmp_path / "w").glob(".*"))


def test_alpha_without_masks_or_with_another_folder_is_told(job, tmp_path):
    job(deep=False, options={})
    for path in (tmp_path / "w/data_dst/merged_mask").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no masks in"):
        encode(tmp_path, "--codec", "prores4444", "--alpha")
    with pytest.raises(UserError, match="--frames has none"):
        encode(tmp_path, "--codec", "png", "--alpha", "--frames", str(tmp_path / "w/data_dst"))
