"""Autoencoder fakes of everybody in a set: a model redraws each real crop, our own compositor lays it back.

A finished swap shows two people; a set has hundreds. A model that redraws whoever it is shown (a base, or
one trained on the set's own training people, early or late) gives everybody a fake of the kind that the
workbench makes: a decoder's picture, coloured, masked and blended by `faceswap.merge`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from faceswap.console import progress
from faceswap.detector.data.manifest import Item
from faceswap.faceset.store import read_face
from faceswap.geometry.warp import crop_face
from faceswap.io.files import sha256
from faceswap.io.images import as_uint8, write_image, write_mask
from faceswap.merge.predict import Predictor
from faceswap.merge.render import Subject, render
from faceswap.merge.settings import MergeSettings

_BATCH = 16
_MASK_MODES = ("dst", "learned-prd", "learned-dst", "learned-prd*learned-dst")
_COLOR_TRANSFERS = ("rct", "rct", "none")


def redraw(
    folder: Path, items: Sequence[Item], predictor: Predictor, manipulation: str, model: str
) -> Iterator[Item]:
    """Store a redrawn fake of each real of `items` as `manipulation`; yields its row, twin and split kept.

    model: the predictor's name in the files' names, so that several models may make one manipulation.
    The picture is stored without loss: outside its mask it is the real crop, bit for bit, so that no
    second compression tells the two apart. Each look is drawn from the real's own hash.
    """
    reals = [item for item in items if not item.is_fake]
    for start in progress(range(0, len(reals), _BATCH), f"redraw {manipulation}", "batches"):
        group = reals[start : start + _BATCH]
        read = [read_face(folder / item.file) for item in group]
        frames = [as_uint8(picture) for picture, _ in read]
        points = [meta.crop_landmarks() for _, meta in read]
        crops = [
            crop_face(frame, where, predictor.resolution, predictor.face_type)
            for frame, where in zip(frames, points, strict=True)
        ]
        for item, frame, where, prediction in zip(group, frames, points, predictor(crops), strict=True):
            look = draw_look(np.random.default_rng(int(item.sha256[:16], 16)))
            made, mask = render(
                frame, [Subject(where)], [prediction], predictor.face_type, look, predictor.resolution
            )
            stem = f"fake/{manipulation}/{Path(item.file).stem}_{model}"
            (folder / stem).parent.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{stem}.png", made)
            write_mask(folder / f"{stem}_mask.png", mask)
            yield Item(
                file=f"{stem}.png", sha256=sha256(folder / f"{stem}.png"), label="fake",
                identity=item.identity, video=item.video, dataset=item.dataset, licence=item.licence,
                split=item.split, manipulation=manipulation, twin=item.file, mask=f"{stem}_mask.png",
            )  # fmt: skip


def draw_look(rng: np.random.Generator) -> MergeSettings:
    """Settings as people choose them, so that no one mask or seam stands for all swaps."""
    return MergeSettings(
        mask_mode=_MASK_MODES[rng.integers(len(_MASK_MODES))],
        erode=int(rng.integers(-30, 80)),
        blur=int(rng.integers(15, 180)),
        color_transfer=_COLOR_TRANSFERS[rng.integers(len(_COLOR_TRANSFERS))],
        output_face_scale=int(rng.integers(-4, 5)),
    )
