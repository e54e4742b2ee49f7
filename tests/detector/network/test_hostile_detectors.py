"""A detector's files that are damaged or made to harm are refused in a sentence that names them."""

import hashlib
from pathlib import Path

import pytest

from faceswap.detector.data.manifest import NAME, Item, read_manifest, write_manifest
from faceswap.detector.finetune.bases import _Processor, _scaling, _size_px
from faceswap.detector.network.files import (
    CARD,
    CONFIG,
    PATCH_HEAD,
    PROCESSOR,
    WEIGHTS,
    _read_card,
    _require_our_pixels,
)
from faceswap.detector.network.model import PIXEL_MEAN, PIXEL_STD
from faceswap.detector.selftest.checkpoints import merged_look
from faceswap.errors import UserError
from faceswap.io.documents import read_as
from faceswap.merge.settings import MergeSettings
from tests.hostile import attacked, documents, texts

FILES = (CONFIG, WEIGHTS, PATCH_HEAD)
EMPTY = hashlib.sha256(b"").hexdigest()
CARD_JSON = {"schema": 1, "temperature": 1.5, "thresholds": {"0.05": 0.8}, "face_type": "whole",
             "files": dict.fromkeys(FILES, EMPTY)}  # fmt: skip
PIXELS = {"image_mean": [PIXEL_MEAN] * 3, "image_std": [PIXEL_STD] * 3, "size": {"height": 224, "width": 224}}
ITEMS = [Item("a.jpg", EMPTY, "real", "ann", "1", "set", "cc0", "train"),
         Item("b.jpg", EMPTY, "fake", "bob", "2", "set", "cc0", "test", "swap", "cat")]  # fmt: skip


@attacked(documents(CARD_JSON))
def test_a_hostile_card_is_refused_by_name_or_has_a_threshold(tmp_path: Path, hostile: bytes) -> None:
    for name in FILES:
        if not (tmp_path / name).exists():
            (tmp_path / name).touch()
    (tmp_path / CARD).write_bytes(hostile)
    try:
        card = _read_card(tmp_path)
    except UserError as error:
        assert str(tmp_path) in str(error)
        return
    assert all(0 <= value <= 1 for value in card.thresholds.values())
    assert card.temperature > 0


@attacked(documents(PIXELS))
def test_a_hostile_processor_is_refused_by_name_or_is_known(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / PROCESSOR).write_bytes(hostile)
    try:
        _require_our_pixels(tmp_path)
    except UserError as error:
        assert str(tmp_path) in str(error)
    try:
        content = read_as(tmp_path / PROCESSOR, _Processor)
        _scaling(tmp_path, content)
        assert 1 <= _size_px(tmp_path, None, content) <= 8192
    except UserError as error:
        assert str(tmp_path) in str(error)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("set")
    write_manifest(folder, ITEMS)
    assert read_manifest(folder) == ITEMS
    return (folder / NAME).read_text()


def test_a_hostile_manifest_is_refused_by_name_or_holds_items(tmp_path: Path, manifest: str) -> None:
    @attacked(texts(manifest))
    def read(hostile: bytes) -> None:
        (tmp_path / NAME).write_bytes(hostile)
        try:
            items = read_manifest(tmp_path)
        except UserError as error:
            assert NAME in str(error)
            return
        assert all(item.label in ("real", "fake") for item in items)

    read()


@attacked(documents({"settings": MergeSettings().model_dump(mode="json")}), 500)
def test_a_hostile_look_of_a_merge_is_refused_by_name_or_is_one(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "merge.json").write_bytes(hostile)
    try:
        assert isinstance(merged_look(tmp_path / "merge.json"), MergeSettings)
    except UserError as error:
        assert "merge.json" in str(error)
