"""A faceset on disk: a folder of crops, each carrying its own metadata.

`faces.index.jsonl` beside the crops has a line a face. It is a cache (keyed by file name, size and
time) that makes opening a large set fast, and the copy from which metadata is put back when another
program has saved a crop without it. It can be deleted at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

from faceswap.console import command, progress, warn
from faceswap.errors import UserError
from faceswap.faceset import carrier
from faceswap.faceset.index import Index, fitted
from faceswap.faceset.metadata import FaceMeta, MetadataError
from faceswap.io.files import list_images, write_bytes
from faceswap.io.images import decode_image, encode_image
from faceswap.io.leftout import say_left_out
from faceswap.types import FaceType, Frame

# What DeepFaceLab calls a set packed into one file.
_PACKED = "faceset.pak"
# Damaged crops are named up to this many.
_NAMED = 5


@dataclass(frozen=True)
class Face:
    """One crop of a set: where it lies and what is known of it."""

    path: Path
    meta: FaceMeta


def write_face(path: Path, crop: Frame, meta: FaceMeta, quality: int = 95) -> None:
    """Write a crop (.jpg or .png) with its metadata, whole or not at all. quality: JPEG, 1 … 100."""
    image = encode_image(path.suffix, crop, quality)
    write_bytes(path, carrier.embed(image, meta.to_json()))


def rewrite_meta(path: Path, meta: FaceMeta) -> None:
    """Replace the metadata of a crop; its pixels stay as they are, byte for byte."""
    write_bytes(path, carrier.embed(path.read_bytes(), meta.to_json()))


def read_face(path: Path) -> tuple[Frame, FaceMeta]:
    """A crop's pixels and metadata. UserError when it carries none, DamagedImage when damaged."""
    data = path.read_bytes()
    meta = _require(path, carrier.read_head_bytes(data))
    return decode_image(data, path), meta


def read_meta(path: Path) -> FaceMeta:
    """Only the metadata, without decoding pixels. UserError when the file carries none."""
    return _require(path, carrier.read_head(path))


def _require(path: Path, head: carrier.Carried) -> FaceMeta:
    try:
        return fitted(FaceMeta.from_json(head.meta), head.size)
    except MetadataError as error:
        raise UserError(
            f"{path} is no aligned face: {error}",
            "",
            "move it out of the folder, or align again",
        ) from None


@dataclass(frozen=True)
class Faceset:
    """All faces of a folder, in the natural order of their file names."""

    folder: Path
    faces: tuple[Face, ...]
    # Pictures in the folder that carry no metadata and could not be restored.
    strangers: tuple[Path, ...] = ()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the metadata of every crop; what other programs stripped is restored with a warning.

        Raises UserError when the folder is missing or holds no face.
        """
        if not folder.is_dir():
            if folder.name == _PACKED and folder.is_file():
                raise _empty(folder.parent, ())
            raise UserError(f"no folder {folder}", "", _how_to_fill(folder))
        images = list_images(folder)
        say_left_out(folder)
        with Index(folder) as index:
            # Thousands of faces that the index does not know yet take seconds to open.
            seen = progress(images, folder.name, "faces", after_s=2)
            metas = {path: index.meta(path) for path in seen}
        faces = tuple(Face(path, meta) for path, meta in metas.items() if meta is not None)
        strangers = tuple(path for path, meta in metas.items() if meta is None)
        if not faces:
            raise _empty(folder, images)
        if strangers:
            _tell_strangers(folder, strangers, index.faults)
        return cls(folder, faces, strangers)

    @cached_property
    def face_type(self) -> FaceType:
        """The face type of all faces; UserError when the set mixes several."""
        types = {face.meta.face_type for face in self.faces}
        if len(types) > 1:
            named = ", ".join(face_type for face_type in FaceType if face_type in types)
            raise UserError(f"{self.folder} mixes face types", f"found {named}", "keep one type in a folder")
        return next(iter(types))

    @cached_property
    def size_px(self) -> int:
        """Side of the largest crop."""
        return max(face.meta.size_px for face in self.faces)

    def by_frame(self) -> dict[str, list[Face]]:
        """Faces by the stem of the frame they come from, the largest first."""
        grouped: dict[str, list[Face]] = {}
        for face in sorted(self.faces, key=lambda face: face.meta.index):
            grouped.setdefault(Path(face.meta.source).stem, []).append(face)
        return grouped


def has_faces(folder: Path) -> bool:
    """Whether there is anything in `folder` that could be taken for a faceset; reads no file."""
    return bool(list_images(folder)) or (folder / _PACKED).is_file()


def _empty(folder: Path, images: Sequence[Path]) -> UserError:
    """What a folder without faces of this workbench holds, and what to do."""
    theirs = deepfacelab_faces(folder, images)
    if theirs:
        found = "nor can its faces once unpacked" if (folder / _PACKED).is_file() else ""
        return UserError(f"{folder} holds {theirs}, which cannot be read yet", found, _how_to_replace(folder))
    found = f"found {len(images)} pictures, none with face metadata" if images else "it is empty"
    return UserError(f"{folder} holds no aligned faces", found, _how_to_fill(folder))


def deepfacelab_faces(folder: Path, images: Sequence[Path]) -> str:
    """In words what DeepFaceLab's files a folder holds, "" for none: a packed set or JPEGs of its own."""
    if (folder / _PACKED).is_file():
        return f"a packed set of DeepFaceLab, {_PACKED}"
    theirs = [path for path in images if carrier.is_deepfacelab(path)]
    return f"{len(theirs)} faces aligned by DeepFaceLab, as {theirs[0].name}" if theirs else ""


def _how_to_replace(folder: Path) -> str:
    side = "dst" if folder.parent.name == "data_dst" else "src"
    again = command(f"stages.align_{side}", "--workspace", folder.parent.parent, "--again")
    return f"align the frames here: {again} (it moves these files to a trash folder)"


def _tell_strangers(folder: Path, strangers: Sequence[Path], faults: Mapping[Path, str]) -> None:
    for path, fault in islice(faults.items(), _NAMED):
        warn(f"{path} is left out: {fault}")
    if len(faults) > _NAMED:
        warn(f"{folder}: {len(faults)} pictures are left out for such reasons")
    plain = [path for path in strangers if path not in faults]
    if plain:
        theirs = deepfacelab_faces(folder, plain)
        what = f"{theirs}, cannot be read yet and are left out" if theirs else ""
        other = f"{len(plain)} pictures carry no face metadata, as {plain[0].name}"
        warn(f"{folder}: {what or other}")


def _how_to_fill(folder: Path) -> str:
    side = "dst" if folder.parent.name == "data_dst" else "src"
    return f"fill it: {command(f'stages.align_{side}', '--workspace', folder.parent.parent)}"
