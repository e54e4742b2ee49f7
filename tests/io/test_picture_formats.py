"""Every format of pictures that people bring: colours, depth, alpha, orientation, profiles, damage."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from faceswap.io import images
from faceswap.io.images import DamagedImage, read_image, read_mask

oiio = pytest.importorskip("OpenImageIO", reason="it reads TIFF, OpenEXR and other deep pictures")

HEIGHT, WIDTH = 48, 80
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
# Red grows to the right, green downwards: no exchange of channels or axes goes unnoticed.
COLOURS = np.dstack([X / (WIDTH - 1), Y / (HEIGHT - 1), (X + Y) / (WIDTH + HEIGHT - 2)])
ALPHA = np.clip((X - 20) / 40, 0, 1)
BYTES = np.rint(COLOURS * 255).astype(np.uint8)
DEEP = np.rint(COLOURS * 65535).astype(np.uint16)
WITH_ALPHA = np.dstack([BYTES, np.rint(ALPHA * 255).astype(np.uint8)])
GREY = np.repeat(BYTES[..., :1], 3, 2)


def pil(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opencv(suffix, picture, *flags):
    done, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), list(flags))
    assert done
    return bytes(data)


def heif(picture, **options):
    pytest.importorskip("pillow_heif", reason="the extra heif is not installed").register_heif_opener()
    return pil(picture, "HEIF", quality=100, chroma=444, **options)


def rgb(pixels=BYTES):
    return Image.fromarray(pixels)


# Suffix, the file's bytes, the colours in it, how far off they may be in 255ths.
FORMATS = {
    "jpe": (lambda: pil(rgb(), "JPEG", quality=100, subsampling=0), BYTES, 3),
    "jfif": (lambda: pil(rgb(), "JPEG", quality=100, subsampling=0), BYTES, 3),
    "jpg, CMYK": (lambda: pil(rgb().convert("CMYK"), "JPEG", quality=100), BYTES, 4),
    "webp": (lambda: pil(rgb(), "WEBP", lossless=True), BYTES, 0),
    "webp, alpha": (lambda: pil(rgb(WITH_ALPHA), "WEBP", lossless=True, exact=True), BYTES, 0),
    "avif": (lambda: pil(rgb(), "AVIF", quality=100, subsampling="4:4:4"), BYTES, 4),
    "avif, alpha": (lambda: pil(rgb(WITH_ALPHA), "AVIF", quality=100, subsampling="4:4:4"), BYTES, 4),
    "bmp": (lambda: pil(rgb(), "BMP"), BYTES, 0),
    "bmp, alpha": (lambda: pil(rgb(WITH_ALPHA), "BMP"), BYTES, 0),
    "gif": (lambda: pil(rgb(GREY).convert("L"), "GIF"), GREY, 0),
    "tga": (lambda: pil(rgb(), "TGA", compression="tga_rle"), BYTES, 0),
    "tga, alpha": (lambda: pil(rgb(WITH_ALPHA), "TGA"), BYTES, 0),
    "jp2": (lambda: pil(rgb(), "JPEG2000"), BYTES, 0),
    "jp2, 16 bits": (lambda: opencv(".jp2", DEEP, cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000), DEEP, 0),
    "ppm": (lambda: pil(rgb(), "PPM"), BYTES, 0),
    "ppm, 16 bits": (lambda: opencv(".ppm", DEEP), DEEP, 0),
    "pgm": (lambda: pil(rgb(GREY).convert("L"), "PPM"), GREY, 0),
    "png, alpha": (lambda: pil(rgb(WITH_ALPHA), "PNG"), BYTES, 0),
    "heic": (lambda: heif(rgb()), BYTES, 4),
    "heic, alpha": (lambda: heif(rgb(WITH_ALPHA)), BYTES, 4),
}


def saved(tmp_path, name, data):
    path = tmp_path / f"a.{name.partition(',')[0]}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_its_colours_and_depth_without_alpha(tmp_path, name):
    make, want, bound = FORMATS[name]
    frame = read_image(saved(tmp_path, name, make()))
    assert frame.dtype == want.dtype and frame.shape == want.shape
    assert np.abs(frame.astype(int) - want.astype(int)).max() <= bound


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_cut_short_is_damaged(tmp_path, name):
    data = FORMATS[name][0]()
    for part in (0.1, 0.5, 0.9, 0.98):
        with pytest.raises(DamagedImage):
            read_image(saved(tmp_path, name, data[: int(len(data) * part)]))


def test_the_content_and_not_the_suffix_tells_the_format(tmp_path):
    for number, name in enumerate(("webp", "bmp", "ppm", "avif")):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(FORMATS[name][0]())
        assert np.abs(read_image(path).astype(int) - BYTES).max() <= FORMATS[name][2]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    make = heif if kind == "HEIF" else lambda picture, **more: pil(picture, kind, **more)
    path = saved(tmp_path, kind.lower(), make(rgb(), exif=exif, **options))
    with Image.open(path) as picture:
        from PIL import ImageOps

        want = np.asarray(ImageOps.exif_transpose(picture).convert("RGB")).astype(int)
    assert want.shape == ((HEIGHT, WIDTH, 3) if orientation < 5 or kind == "HEIF" else (WIDTH, HEIGHT, 3))
    frame = read_image(path)
    assert frame.shape == want.shape and np.abs(frame - want).max() <= 3


def p3_profile():
    """A minimal Display P3 profile (ICC.1:2010): its primaries adapted to D50, and a curve of 2.2."""

    def fixed(*values):
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    def xyz(*values):
        return b"XYZ \0\0\0\0" + fixed(*values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(78)
    tags = {
        b"desc": name + bytes(-len(name) % 4), b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rXYZ": xyz(0.51512, 0.2412, -0.00105), b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.1571, 0.06657, 0.78407), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", at + len(body), len(content))
        body += content
    data = struct.pack(">I", len(tags)) + table + body
    head = struct.pack(">I4sI4s4s4s", 128 + len(data), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head.ljust(128, b"\0") + data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_display_p3_becomes_srgb(tmp_path, kind):
    """By the published matrix of linear P3 to linear sRGB, for a skin tone that both can show."""
    skin = np.array([210, 160, 130])
    to_srgb = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    light = to_srgb @ (skin / 255) ** 2.2
    want = 255 * np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    picture = rgb(np.full((16, 16, 3), skin, np.uint8))
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    make = heif if kind == "HEIF" else lambda picture, **more: pil(picture, kind, **more)
    plain, tagged = (
        read_image(saved(tmp_path, kind.lower(), make(picture, **options, **more)))
        for more in ({}, {"icc_profile": p3_profile()})
    )
    assert np.abs(plain[8, 8] - skin).max() <= 2
    assert np.abs(tagged[8, 8] - want).max() <= 3 and tagged[8, 8, 0] > skin[0] + 3


@pytest.mark.parametrize("profile", ["broken", "sRGB", "grey"])
def test_a_profile_that_says_nothing_new_changes_nothing(tmp_path, profile):
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = {"broken": p3_profile()[:200], "sRGB": srgb, "grey": p3_profile().replace(b"RGB ", b"GRAY")}[
        profile
    ]
    rgb().save(tmp_path / "a.png", icc_profile=data)
    assert np.array_equal(read_image(tmp_path / "a.png"), BYTES)


def test_of_moving_pictures_the_first_is_taken_and_that_is_said(tmp_path, capsys):
    for name in ("m.gif", "m.webp", "m.tiff"):
        rgb(GREY).save(tmp_path / name, save_all=True, append_images=[rgb(255 - GREY)], lossless=True)
        for _ in range(2):
            assert np.abs(read_image(tmp_path / name).astype(int) - GREY).max() <= 2
        assert capsys.readouterr().err.count(f"{name} holds several pictures") == 1


def test_masks_are_read_from_every_format(tmp_path):
    for name in ("webp", "bmp", "png, alpha", "ppm, 16 bits"):
        path = saved(tmp_path, name, FORMATS[name][0]())
        want = COLOURS @ [0.299, 0.587, 0.114]
        assert np.abs(read_mask(path) - want).max() < 0.01


@pytest.mark.parametrize("kind", ["baseline", "progressive", "restarts", "grey", "quarter colours"])
def test_a_jpeg_that_lacks_only_its_end_mark_is_read_and_a_cut_one_is_not(tmp_path, kind, capsys):
    options = {
        "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 4},
        "quarter colours": {"subsampling": 2},
    }.get(kind, {})  # fmt: skip
    noise = np.random.default_rng(0).integers(0, 256, (40, 72, 3), np.uint8)
    data = pil(rgb(noise).convert("L" if kind == "grey" else "RGB"), "JPEG", quality=92, **options)
    assert data.endswith(b"\xff\xd9")
    whole, path = tmp_path / "whole.jpg", tmp_path / f"{kind}.jpg"
    whole.write_bytes(data)
    path.write_bytes(data[:-2])
    assert np.array_equal(read_image(path), read_image(whole))
    assert "lacks the mark at its end" in capsys.readouterr().err
    for missing in (3, 4, 12, 100, len(data) // 2):
        path.write_bytes(data[:-missing])
        with pytest.raises(DamagedImage, match="cut short"):
            read_image(path)


def test_a_jpeg_cut_between_two_scans_is_damaged(tmp_path):
    """What is there makes a whole picture, but a coarse one."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 72, 3), np.uint8)
    data = pil(rgb(noise), "JPEG", quality=92, progressive=True)
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert len(starts) > 4
    path = tmp_path / "a.jpg"
    for start in starts[1:]:
        # Before a scan's table, if it has one of its own.
        table = data.rfind(b"\xff\xc4", 0, start)
        end = table if start - table < 300 and not any(table < other < start for other in starts) else start
        path.write_bytes(data[:end])
        with pytest.raises(DamagedImage, match="cut short"):
            read_image(path)
    path.write_bytes(data[:-2])
    assert read_image(path).shape == noise.shape


def test_heic_names_its_extra_where_that_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    monkeypatch.setattr("faceswap.io.photos.find_spec", lambda name: None)
    with pytest.raises(DamagedImage, match=r"pip install '\.\[heif\]'"):
        read_image(path)


def test_damaged_bytes_end_in_a_sentence_whatever_they_are(tmp_path):
    """Two thousand files with bits, bytes and ends changed: pixels or DamagedImage, nothing else."""
    files = {name: make() for name, (make, _, _) in FORMATS.items() if not name.startswith("heic")}
    files["exr"] = exr(tmp_path / "x.exr", to_light(COLOURS), ("R", "G", "B")).read_bytes()
    files["tif"] = pil(rgb(WITH_ALPHA), "TIFF", compression="tiff_lzw")
    random, names, ends = np.random.default_rng(0), list(files), set()
    for number in range(2000):
        name = names[number % len(names)]
        data = bytearray(files[name])
        # Half of the faults in the header, where lengths and sizes are.
        span = len(data) if number % 2 else min(len(data), 200)
        for at in random.integers(0, span, random.choice([1, 2, 8, 40])):
            data[at] = random.choice([0, 255, data[at] ^ 1 << random.integers(8), random.integers(256)])
        path = saved(tmp_path, name, data[: random.integers(len(data))] if number % 5 == 0 else data)
        try:
            frame = read_image(path)
        except DamagedImage:
            ends.add("damaged")
        else:
            ends.add("read")
            assert frame.ndim == 3 and frame.shape[2] == 3 and frame.dtype in (np.uint8, np.uint16)
    assert ends == {"damaged", "read"}


def exr(path, pixels, names, window=None, **attributes):
    """Written by OpenImageIO in half floats; window: full width and height, then the part's place."""
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], "half")
    spec.channelnames = names
    if window:
        spec.full_width, spec.full_height, spec.x, spec.y = window
    for name, value in attributes.items():
        spec.attribute(name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(pixels.astype(np.float32)) and output.close()
    return path


def to_light(signal):
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("compression", ["zip", "piz", "none"])
def test_light_of_openexr_becomes_the_usual_signal(tmp_path, compression):
    path = exr(tmp_path / "a.exr", to_light(COLOURS), ("R", "G", "B"), compression=compression)
    frame = read_image(path)
    # Half floats have eleven digits, and the curve is steepest in the dark.
    assert frame.dtype == np.uint16 and np.abs(frame / 65535 - COLOURS).max() < 1e-3


def test_openexr_of_full_floats_keeps_sixteen_bits(tmp_path):
    spec = oiio.ImageSpec(WIDTH, HEIGHT, 3, "float")
    output = oiio.ImageOutput.create(str(tmp_path / "a.exr"))
    assert output.open(str(tmp_path / "a.exr"), spec)
    assert output.write_image(to_light(DEEP / 65535).astype(np.float32)) and output.close()
    assert np.abs(read_image(tmp_path / "a.exr").astype(int) - DEEP).max() <= 1


def test_openexr_layers_parts_and_premultiplied_colours_are_understood(tmp_path):
    light = to_light(COLOURS)
    layers = np.dstack([ALPHA, light[..., ::-1], 9 * ALPHA])
    names = ("View.Combined.A", "View.Combined.B", "View.Combined.G", "View.Combined.R", "View.Depth.Z")
    layers[..., 1:4] *= ALPHA[..., None]
    frame = read_image(exr(tmp_path / "layers.exr", layers, names))
    seen = ALPHA > 0.05
    assert np.abs(frame / 65535 - COLOURS)[seen].max() < 3e-3
    frame = read_image(exr(tmp_path / "part.exr", light, ("R", "G", "B"), (100, 60, 10, -8)))
    assert frame.shape == (60, 100, 3) and not frame[:, :10].any() and not frame[40:].any()
    assert np.abs(frame[:40, 10:90] / 65535 - COLOURS[8:]).max() < 1e-3
    with pytest.raises(DamagedImage, match="the channels Z"):
        read_image(exr(tmp_path / "depth.exr", ALPHA[..., None], ("Z",)))


def test_what_is_no_number_is_black_and_what_is_too_bright_is_white(tmp_path):
    light = np.full((4, 4, 3), 0.5)
    light[0, :3, 0] = np.nan, np.inf, -3
    frame = read_image(exr(tmp_path / "a.exr", light, ("R", "G", "B")))
    assert frame[0, :3, 0].tolist() == [0, 65535, 0]
    tifffile = pytest.importorskip("tifffile", reason="writes the TIFF files of this test")
    for dtype in (np.float16, np.float32, np.float64):
        tifffile.imwrite(tmp_path / "a.tif", light.astype(dtype), photometric="rgb")
        assert read_image(tmp_path / "a.tif")[0, :4, 0].tolist() == [0, 65535, 0, 32768]


def test_radiance_pictures_hold_light(tmp_path):
    data = opencv(".hdr", to_light(COLOURS).astype(np.float32))
    path: Path = saved(tmp_path, "hdr", data)
    # Eight bits of mantissa for the brightest channel: the darker ones have fewer.
    assert np.abs(read_image(path) / 65535 - COLOURS)[COLOURS > 0.4].max() < 0.01
    with pytest.raises(DamagedImage):
        read_image(saved(tmp_path, "hdr", data[: len(data) // 2]))


def test_frames_of_films_are_read_without_another_library(tmp_path, monkeypatch):
    """PNG and JPEG, the formats of frames and crops, need neither Pillow nor OpenImageIO to decode."""
    monkeypatch.setattr(images, "read_by_oiio", None)
    monkeypatch.setattr(images, "read_by_pillow", None)
    for suffix in (".png", ".jpg"):
        images.write_image(tmp_path / f"a{suffix}", BYTES)
        assert read_image(tmp_path / f"a{suffix}").shape == BYTES.shape
