"""A segmenter's mask for every face of a set, stored beside it.

Crops are decoded ahead and masks written behind by threads, the network works between them; memory is the
same for ten faces and fifty thousand. Stopped, the next run goes on: a mask says which model made it from
which crop. Values stay soft, where DFL stores 0 or 1 (dfl-facts §6.4): the edge of a mask is where it is
uncertain or shared by two things, and whoever uses it may still cut it in half.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np

from faceswap.console import progress_bar
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import is_current, write_mask
from faceswap.io.flow import ordered_map
from faceswap.masks.crops import MaskNetwork, input_of, mask_in_crop
from faceswap.types import Image, Mask, Transform


class Applied(NamedTuple):
    """made: masks written; kept: faces whose mask was there; failed: file name -> why there is none."""

    made: int
    kept: int
    failed: dict[str, str]


class _Prepared(NamedTuple):
    """size_px: side of the file's crop, which crop_to_input counts from."""

    face: Face
    size_px: int
    crop: Image
    crop_to_input: Transform


def apply(
    faceset: Faceset, network: MaskNetwork, batch_size: int, workers: int, label: str, *, again: bool = False
) -> Applied:
    """Store a mask for every face that has none of this network and its present crop, or (again) for all."""
    faces = faceset.faces
    todo = [face for face in faces if again or not is_current(face, network.identity)]
    failed: dict[str, str] = {}
    # Every worker is a thread of its own; OpenCV's threads on top would only fight for the cores.
    cv2.setNumThreads(1)
    prepared = _intact(ordered_map(lambda face: _prepare(face, network), todo, workers), failed)
    masked = _segment(prepared, network, batch_size)
    with progress_bar(f"{label} masks", "faces", len(faces), initial=len(faces) - len(todo)) as bar:
        for _ in ordered_map(lambda pair: _store(*pair, network.identity), masked, workers):
            bar.update()
    return Applied(len(todo) - len(failed), len(faces) - len(todo), failed)


def _prepare(face: Face, network: MaskNetwork) -> _Prepared | tuple[str, str]:
    try:
        crop, meta = read_face(face.path)
    except (UserError, OSError) as error:
        return face.path.name, str(error).replace("\n ", ";")
    side = crop.shape[0]
    if crop.shape[1] != side:
        return face.path.name, f"it is {crop.shape[1]}×{side} pixels, not square"
    meta = meta if meta.size_px == side else meta.resized(side)
    picture = crop.astype(np.float32) / np.float32(np.iinfo(crop.dtype).max)
    crop_to_input = meta.crop_to(network.input_px, network.face_type)
    return _Prepared(face, side, input_of(picture, crop_to_input, network.input_px), crop_to_input)


def _intact(items: Iterable[_Prepared | tuple[str, str]], failed: dict[str, str]) -> Iterator[_Prepared]:
    for item in items:
        if isinstance(item, _Prepared):
            yield item
        else:
            failed[item[0]] = item[1]


def _segment(
    items: Iterator[_Prepared], network: MaskNetwork, batch_size: int
) -> Iterator[tuple[_Prepared, Mask]]:
    while batch := list(islice(items, batch_size)):
        yield from zip(batch, network([item.crop for item in batch]), strict=True)


def _store(item: _Prepared, mask: Mask, model: str) -> None:
    write_mask(item.face, mask_in_crop(mask, item.crop_to_input, item.size_px), model)
