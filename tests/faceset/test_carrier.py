"""Metadata inside PNG and JPEG: it comes back, pixels do not change, other readers are not disturbed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from faceswap.faceset import carrier

PICTURE = np.random.default_rng(3).integers(0, 256, (40, 48, 3), np.uint8)
ENCODED = {suffix: bytes(cv2.imencode(suffix, PICTURE)[1]) for suffix in (".png", ".jpg")}
# Without what no document of ours may hold (see faceswap.io.documents).
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
WHOLE = st.integers(-(2**63), 2**64 - 1)
JSON = st.dictionaries(TEXT, st.none() | WHOLE | TEXT | st.lists(TEXT))


@pytest.mark.parametrize("suffix", ENCODED)
@given(meta=JSON)
def test_any_json_of_documents_comes_back(suffix: str, meta: dict[str, object]) -> None:
    assert carrier.extract_bytes(carrier.embed(ENCODED[suffix], meta)) == meta


@pytest.mark.parametrize("suffix", ENCODED)
def test_pixels_are_untouched_and_pil_reads_the_file(suffix: str, tmp_path: Path) -> None:
    image = carrier.embed(ENCODED[suffix], {"name": "Zoë 顔"})
    decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    plain = cv2.imdecode(np.frombuffer(ENCODED[suffix], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, plain)
    path = tmp_path / f"face{suffix}"
    path.write_bytes(image)
    with Image.open(path) as opened:
        opened.verify()
    assert carrier.extract(path) == {"name": "Zoë 顔"}


@pytest.mark.parametrize("suffix", ENCODED)
def test_embedding_again_replaces_what_was_there(suffix: str) -> None:
    once = carrier.embed(ENCODED[suffix], {"a": 1})
    assert carrier.embed(carrier.embed(ENCODED[suffix], {"b": "x" * 99}), {"a": 1}) == once


@pytest.mark.parametrize("suffix", ENCODED)
def test_json_larger_than_one_jpeg_segment_is_split_and_joined(suffix: str, tmp_path: Path) -> None:
    meta = {"polygons": list(range(40_000))}
    path = tmp_path / f"big{suffix}"
    path.write_bytes(carrier.embed(ENCODED[suffix], meta))
    assert path.stat().st_size > 3 * 65535
    assert carrier.extract(path) == meta
    assert cv2.imread(str(path)).shape == PICTURE.shape


def test_png_text_chunk_is_one_pil_knows_by_the_keyword() -> None:
    from io import BytesIO

    with Image.open(BytesIO(carrier.embed(ENCODED[".png"], {"a": 1}))) as image:
        image.load()
        assert image.info["faceswap-face"] == '{"a":1}'


@pytest.mark.parametrize("suffix", ENCODED)
def test_a_picture_without_metadata_carries_none(suffix: str, tmp_path: Path) -> None:
    assert carrier.extract_bytes(ENCODED[suffix]) is None
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    assert carrier.extract(empty) is None


@pytest.mark.parametrize("suffix", ENCODED)
def test_a_file_cut_anywhere_in_its_head_is_read_without_an_exception(suffix: str) -> None:
    image = carrier.embed(ENCODED[suffix], {"a": list(range(50))})
    for end in range(0, 600, 7):
        assert carrier.extract_bytes(image[:end]) in (None, {"a": list(range(50))})


@pytest.mark.parametrize("suffix", ENCODED)
@given(place=st.integers(2, 400), value=st.integers(0, 255))
def test_a_flipped_byte_never_raises(suffix: str, place: int, value: int) -> None:
    image = bytearray(carrier.embed(ENCODED[suffix], {"a": list(range(50))}))
    image[place] = value
    carrier.extract_bytes(bytes(image))


def test_a_foreign_app10_segment_is_kept() -> None:
    foreign = b"\xff\xea\x00\x09other\0\x01"[:11]
    jpeg = ENCODED[".jpg"][:2] + foreign + ENCODED[".jpg"][2:]
    image = carrier.embed(jpeg, {"a": 1})
    assert foreign in image
    assert carrier.extract_bytes(image) == {"a": 1}


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="PNG or JPEG"):
        carrier.embed(b"GIF89a", {})
