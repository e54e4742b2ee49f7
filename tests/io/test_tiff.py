"""TIFF in all its kinds, written by tifffile, Pillow and ffmpeg."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from faceswap.io.images import DamagedImage, read_image
from faceswap.media.ffmpeg import ffmpeg_binary

oiio = pytest.importorskip("OpenImageIO", reason="it reads TIFF")
tifffile = pytest.importorskip(
    "tifffile", reason="writes the files of these tests; it comes with the extra facepack"
)

HEIGHT, WIDTH = 37, 61
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
COLOURS = np.dstack([X / (WIDTH - 1), Y / (HEIGHT - 1), (X + Y) / (WIDTH + HEIGHT - 2)])
ALPHA = np.clip((X - 20) / 30, 0, 1)


def of_type(values, dtype):
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


def written(path, values, dtype, planar=False, **options):
    pixels = of_type(values, dtype)
    if planar:
        pixels, options["planarconfig"] = np.ascontiguousarray(np.moveaxis(pixels, 2, 0)), "separate"
    tifffile.imwrite(path, pixels, photometric=options.pop("photometric", "rgb"), **options)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True},
        {"tile": (16, 32), "compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"},
        {"rowsperstrip": 5}, {"rowsperstrip": 5, "extrasamples": ["unassalpha"]},
        {"extrasamples": ["assocalpha"]},
    ],
    ids=lambda options: " ".join(map(str, options.values())) or "plain",
)  # fmt: skip
def test_every_depth_and_layout_gives_its_colours(tmp_path, dtype, planar, options):
    if options.get("predictor") and np.issubdtype(dtype, np.floating):
        pytest.skip("tifffile writes the predictor of floats with imagecodecs alone")
    if "tile" in options and dtype == np.float64:
        with pytest.raises(DamagedImage, match="tiles of 64-bit floats"):
            read_image(written(tmp_path / "a.tif", COLOURS, dtype, planar, **options))
        return
    values, seen = COLOURS, np.ones((HEIGHT, WIDTH), bool)
    if "extrasamples" in options:
        values = np.dstack([COLOURS, ALPHA])
    if options.get("extrasamples") == ["assocalpha"]:
        # What was multiplied by little is known by little.
        values, seen = np.dstack([COLOURS * ALPHA[..., None], ALPHA]), ALPHA > 0.3
    frame = read_image(written(tmp_path / "a.tif", values, dtype, planar, **options))
    assert frame.dtype == (np.uint8 if dtype == np.uint8 else np.uint16)
    bound = {np.uint8: 0.002, np.float16: 0.0005}.get(dtype, 2e-5)
    assert np.abs(frame / np.iinfo(frame.dtype).max - COLOURS)[seen].max() < bound * (1 if seen.all() else 5)


@pytest.mark.parametrize("kind", ["uint16", "half", "float"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", ["lzw", "packbits", "zip"])
def test_compressions_of_deep_pictures_are_read(tmp_path, kind, planar, compression):
    spec = oiio.ImageSpec(WIDTH, HEIGHT, 3, kind)
    # OpenImageIO adds the predictor of floats by itself.
    for name, value in {"compression": compression, "planarconfig": planar}.items():
        spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(tmp_path / "a.tif"))
    assert output.open(str(tmp_path / "a.tif"), spec) and output.write_image(COLOURS.astype(np.float32))
    output.close()
    assert np.abs(read_image(tmp_path / "a.tif") / 65535 - COLOURS).max() < 5e-4


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits", "raw"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L", "LA", "P", "1", "YCbCr"])
def test_files_of_pillow_are_read_as_pillow_reads_them(tmp_path, mode, compression):
    picture = Image.fromarray(of_type(COLOURS, np.uint8)).convert(mode)
    if compression == "jpeg" and mode in ("LA", "P", "1", "CMYK", "RGBA"):
        pytest.skip("Pillow does not write these as JPEG in TIFF, or not with colours that are told")
    picture.save(tmp_path / "a.tif", compression=compression)
    with Image.open(tmp_path / "a.tif") as again:
        want = np.asarray(again.convert("RGB")).astype(int)
    assert np.abs(read_image(tmp_path / "a.tif") - want).max() <= 2


@pytest.mark.parametrize("layout", ["rgb24", "rgb48le", "rgba64le", "gray16le", "yuv444p", "pal8"])
def test_files_of_ffmpeg_are_read(tmp_path, layout):
    source = ["-f", "lavfi", "-i", "color=0x3C78B4:s=48x32", "-frames:v", "1", "-pix_fmt", layout]
    subprocess.run([ffmpeg_binary(), "-v", "error", *source, tmp_path / "a.tif"], check=True)
    frame = read_image(tmp_path / "a.tif")
    want = [0x3C, 0x78, 0xB4] if layout != "gray16le" else [0.299 * 0x3C + 0.587 * 0x78 + 0.114 * 0xB4] * 3
    assert frame.dtype == (np.uint16 if "16" in layout or "48" in layout or "64" in layout else np.uint8)
    bound = 60 if layout == "pal8" else 3
    assert np.abs(frame[16, 24] * 255.0 / np.iinfo(frame.dtype).max - want).max() <= bound


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_grey_is_the_right_way_round(tmp_path, dtype, photometric):
    path = written(tmp_path / "a.tif", COLOURS[..., 0], dtype, photometric=photometric)
    want = COLOURS[..., 0] if photometric == "minisblack" else 1 - COLOURS[..., 0]
    frame = read_image(path)
    assert np.abs(frame / np.iinfo(frame.dtype).max - want[..., None]).max() < 0.002


@pytest.mark.parametrize("options", [{"photometric": "cielab"}, {"dtype": np.int16}], ids=["Lab", "signed"])
def test_what_would_come_out_wrong_is_refused_by_name(tmp_path, options):
    path = written(tmp_path / "a.tif", COLOURS, **{"dtype": np.uint8, **options})
    with pytest.raises(DamagedImage, match=r"Lab colours|int16 values"):
        read_image(path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}])
@pytest.mark.parametrize("planar", [False, True])
def test_a_tiff_cut_anywhere_is_damaged(tmp_path, options, planar):
    data = written(tmp_path / "a.tif", COLOURS, np.uint16, planar, **options).read_bytes()
    for end in (3, 8, 100, len(data) // 3, len(data) // 2, len(data) - 40):
        (tmp_path / "b.tif").write_bytes(data[:end])
        with pytest.raises(DamagedImage):
            read_image(tmp_path / "b.tif")


def test_a_cut_tiff_of_jpeg_is_damaged(tmp_path):
    """libtiff fills up what is missing of these."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.tif", compression="jpeg")
    data = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        start, size = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    (tmp_path / "a.tif").write_bytes(data[: start + size - 20])
    with pytest.raises(DamagedImage):
        read_image(tmp_path / "a.tif")
