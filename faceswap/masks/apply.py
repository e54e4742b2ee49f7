"""A segmenter's mask for every face of a set, stored beside it.

Crops are decoded ahead and masks written behind by threads, the network works between them; memory is the
same for ten faces and fifty thousand. Stopped, the next run goes on: a mask says which model made it from
which crop. Values stay soft, where DFL stores 0 or 1 (deepfacelab.md §6.4): the edge of a mask is where it is
uncertain or shared by two things, and whoever uses it may still cut it in half.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import cv2

from faceswap.console import progress_bar
from faceswap.errors import UserError
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import is_current, write_mask
from faceswap.io.flow import ordered_map
from faceswap.masks.crops import MaskNetwork, Shown, mask_in_crop, show
from faceswap.types import Mask


class Applied(NamedTuple):
    """made: masks written; kept: faces whose mask was there; failed: file name -> why there is none."""

    made: int
    kept: int
    failed: dict[str, str]


class _Prepared(NamedTuple):
    face: Face
    shown: Shown


class _Failed(NamedTuple):
    name: str
    reason: str


def apply(
    faceset: Faceset, network: MaskNetwork, batch_size: int, workers: int, label: str, *, again: bool = False
) -> Applied:
    """Store a mask for every face that has none of this network and its present crop, or (again) for all."""
    failed: dict[str, str] = {}
    made = 0
    # Every worker is a thread of its own; OpenCV's threads on top would only fight for the cores.
    cv2.setNumThreads(1)
    with progress_bar(f"{label} masks", "faces", len(faceset.faces)) as bar:

        def prepare(face: Face) -> _Prepared | _Failed | None:
            return None if not again and is_current(face, network.identity) else _prepare(face, network)

        def missing() -> Iterator[_Prepared]:
            for item in ordered_map(prepare, faceset.faces, workers):
                if isinstance(item, _Prepared):
                    yield item
                    continue
                if item is not None:
                    failed[item.name] = item.reason
                bar.update()

        masked = _segment(missing(), network, batch_size)
        for _ in ordered_map(lambda pair: _store(*pair, network.identity), masked, workers):
            made += 1
            bar.update()
    return Applied(made, len(faceset.faces) - made - len(failed), failed)


def _prepare(face: Face, network: MaskNetwork) -> _Prepared | _Failed:
    try:
        return _Prepared(face, show(*read_face(face.path), network))
    except (UserError, OSError) as error:
        return _Failed(face.path.name, str(error).replace("\n ", ";"))


def _segment(
    items: Iterator[_Prepared], network: MaskNetwork, batch_size: int
) -> Iterator[tuple[_Prepared, Mask]]:
    while batch := list(islice(items, batch_size)):
        yield from zip(batch, network([item.shown.picture for item in batch]), strict=True)


def _store(item: _Prepared, mask: Mask, model: str) -> None:
    _, crop_to_input, size_px = item.shown
    write_mask(item.face, mask_in_crop(mask, crop_to_input, size_px), model)
