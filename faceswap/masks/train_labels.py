"""The labelled faces of facesets, as samples to train a mask network on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceswap.console import command, progress, warn
from faceswap.errors import UserError
from faceswap.faceset.metadata import MetadataError
from faceswap.faceset.polygons import has_area, read_polygons
from faceswap.faceset.store import Face, Faceset, read_face
from faceswap.faceset.stored_masks import known_mask, mask_path
from faceswap.masks.data import MaskSamples, Sample, Tag, write_samples
from faceswap.train.samples import make_sample
from faceswap.types import FaceType

# Stored masks are many and alike; more of them teach nothing new.
_MOST_STORED = 4000
# From so many labels on a tenth is held out; for an aim of IoU already from the smaller number.
_SPARED_FROM, _SPARED_FOR_AIM_FROM = 50, 10


@dataclass(frozen=True)
class Labels:
    """samples: faces to train on; held_out: faces to look at only; origin: what their masks are, in words."""

    samples: MaskSamples
    held_out: MaskSamples
    origin: str


def collect_labels(
    facesets: Sequence[Faceset], face_type: FaceType, input_px: int, folder: Path, for_aim: bool
) -> Labels:
    """All faces with polygons; where there are none, those with a stored mask (dfl-facts §6.2).

    Their crops are stored in `folder`. for_aim: hold faces out also when there are few. Raises UserError
    where nothing is labelled, or too little to hold any out for an aim.
    """
    faces = [face for faceset in facesets for face in faceset.faces]
    labelled = [face for face in faces if _has_polygons(face)]
    origin = f"{len(labelled)} faces with polygons"
    if not labelled:
        stored = [face for face in faces if mask_path(face.path).is_file()]
        rows = np.linspace(0, len(stored) - 1, min(len(stored), _MOST_STORED)).astype(int)
        labelled = [stored[row] for row in rows]
        origin = f"no polygons, so {len(labelled)} of {len(stored)} faces with stored masks"
    if not labelled:
        raise UserError(
            f"none of {len(faces)} faces is labelled, and none has a stored mask",
            "; ".join(str(faceset.folder) for faceset in facesets),
            f"mark some: {command('stages.mask_edit')}, or compute some: {command('stages.mask_apply')}",
        )
    if for_aim and len(labelled) < _SPARED_FOR_AIM_FROM:
        raise UserError(
            f"--until-iou needs {_SPARED_FOR_AIM_FROM} labelled faces, of which some are held out",
            f"found {len(labelled)}",
            "label more, or train for --iterations or --minutes",
        )
    spared = _spared(len(labelled), for_aim)
    samples, held_out = (
        write_samples(folder / name, input_px, input_px, _read(some, face_type, input_px))
        for name, some in (
            ("samples", _rest(labelled, spared)),
            ("held_out", [labelled[row] for row in spared]),
        )
    )
    if not len(samples):
        raise UserError("no labelled face can be read", labelled[0].path.name, "align again, or restore them")
    return Labels(samples, held_out, f"{origin}; {len(held_out)} held out")


def _spared(count: int, for_aim: bool) -> list[int]:
    """Rows held out: a tenth, two at least, spread over the set; none where labels are few."""
    if count < (_SPARED_FOR_AIM_FROM if for_aim else _SPARED_FROM):
        return []
    wanted = max(2, count // 10)
    return sorted({int((row + 0.5) * count / wanted) for row in range(wanted)})


def _rest(faces: list[Face], spared: list[int]) -> list[Face]:
    taken = set(spared)
    return [face for row, face in enumerate(faces) if row not in taken]


def _has_polygons(face: Face) -> bool:
    try:
        return has_area(read_polygons(face.meta))
    except MetadataError as error:
        warn(f"{face.path.name} is left out: its polygons cannot be read ({error})")
        return False


def _read(faces: Sequence[Face], face_type: FaceType, input_px: int) -> Iterator[tuple[Sample, Tag]]:
    for face in progress(faces, "labels", "faces", len(faces)):
        try:
            crop, meta = read_face(face.path)
            mask, origin = known_mask(face.path, meta, crop.shape[0])
            if origin == "hull":
                raise UserError("its stored mask belongs to another frame")
            made = make_sample(crop, mask, meta, face_type, input_px)
        except (UserError, OSError) as error:
            warn(f"{face.path.name} is left out: {str(error).splitlines()[0]}")
            continue
        # How much of a real crop is figure nobody knows.
        layers = np.dstack([made[..., 3], np.full_like(made[..., 3], 255)])
        yield Sample(np.ascontiguousarray(made[..., :3]), layers), Tag(str(meta.side), "", face.path.name)
