import io
import pickle

import numpy as np
import pytest
from PIL import Image

from faceswap.errors import UserError
from faceswap.io.images import (
    DamagedImage,
    decode_image,
    encode_image,
    read_image,
    read_mask,
    write_image,
    write_mask,
)


def noise(seed=0, shape=(37, 53, 3), dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth():
    y, x = np.mgrid[0:48, 0:64]
    return np.dstack([x * 4, y * 5, 255 - x * 4]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [0, 9])
def test_png_returns_the_same_pixels_and_depth(tmp_path, dtype, compression):
    frame = noise(dtype=dtype)
    write_image(tmp_path / "a.png", frame, compression=compression)
    back = read_image(tmp_path / "a.png")
    assert back.dtype == dtype and np.array_equal(back, frame)


def test_other_programs_read_our_pictures_as_rgb(tmp_path):
    write_image(tmp_path / "a.png", noise())
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), noise())
    write_image(tmp_path / "a.jpg", smooth(), quality=100)
    other = np.asarray(Image.open(tmp_path / "a.jpg")).astype(int)
    assert np.abs(other - smooth()).mean() < 3


def test_jpeg_quality_trades_size_for_error():
    sizes = [len(encode_image(".jpg", noise(), quality)) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_grey_palette_and_alpha_become_rgb(tmp_path, mode):
    picture = Image.fromarray(smooth()).convert(mode)
    picture.save(tmp_path / "a.png")
    frame = read_image(tmp_path / "a.png")
    assert frame.dtype == np.uint8 and np.array_equal(frame, np.asarray(picture.convert("RGB")))


def test_tiff_and_sixteen_bit_grey_are_read(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif"), noise())
    grey = noise(shape=(9, 11), dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / "g.png")
    assert np.array_equal(read_image(tmp_path / "g.png"), np.dstack([grey] * 3))


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn a quarter clockwise to show it upright
    Image.fromarray(smooth()).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    turned = read_image(tmp_path / "a.jpg").astype(int)
    assert turned.shape == (64, 48, 3)
    assert np.abs(turned - np.rot90(smooth(), -1).astype(int)).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_cut_anywhere_is_damaged(suffix):
    data = encode_image(suffix, noise(shape=(16, 16, 3)))
    decode_image(data)
    for end in range(0, len(data) - 1, 7):
        with pytest.raises(DamagedImage):
            decode_image(data[:end])


def test_a_jpeg_is_cut_even_if_its_thumbnail_is_whole():
    inner = encode_image(".jpg", smooth())
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(buffer, "jpeg", comment=inner)
    with pytest.raises(DamagedImage, match="cut short"):
        decode_image(buffer.getvalue()[:-40])


def test_a_flipped_bit_in_a_png_is_damage():
    data = bytearray(encode_image(".png", noise()))
    data[len(data) // 2] ^= 1
    with pytest.raises(DamagedImage, match="corrupt"):
        decode_image(bytes(data))


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\xff\xd8\xff\xe0 nonsense", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_is_named_with_its_path(tmp_path, content):
    path = tmp_path / "it's broken 🙂.png"
    path.write_bytes(content)
    with pytest.raises(DamagedImage) as caught:
        read_image(path)
    assert caught.value.path == path and caught.value.reason and str(path) in str(caught.value)


def test_damage_crosses_process_borders_and_is_the_users_to_mend(tmp_path):
    error = pickle.loads(pickle.dumps(DamagedImage(tmp_path / "a.png", "cut short")))
    assert isinstance(error, UserError) and error.reason == "cut short" and error.path == tmp_path / "a.png"


def test_names_of_any_script_are_written_and_read(tmp_path):
    path = tmp_path / "кадр 第1 \"q\" 'a' 🙂.png"
    write_image(path, noise())
    assert np.array_equal(read_image(path), noise()) and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_floats_and_deep_jpegs_and_unknown_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError):
        write_image(tmp_path / "a.png", noise().astype(np.float32))
    with pytest.raises(ValueError):
        write_image(tmp_path / "a.jpg", noise(dtype=np.uint16))
    with pytest.raises(ValueError):
        write_image(tmp_path / "a.webp", noise())
    assert not list(tmp_path.iterdir())


def test_masks_round_trip_to_half_a_grey_level(tmp_path):
    mask = np.random.default_rng(3).random((31, 17), np.float32)
    write_mask(tmp_path / "m.png", mask)
    back = read_mask(tmp_path / "m.png")
    assert back.dtype == np.float32 and back.shape == mask.shape
    assert np.abs(back - mask).max() <= 0.5 / 255 + 1e-6
    write_mask(tmp_path / "m.png", np.float32([[-1, 0, 1, 2]]))
    assert read_mask(tmp_path / "m.png").tolist() == [[0, 0, 1, 1]]
