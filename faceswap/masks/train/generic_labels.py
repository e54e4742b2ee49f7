"""Whole-face masks for training the bundled model: hand-placed outlines, painted classes, rendered truth.

The face goes from the chin to the hairline, without ears, neck and hair; what covers it is not face where
the truth knows of it.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.packs import BUNDLED, load_pack
from faceswap.augment.pictures import Picture, decode_picture, read_picture
from faceswap.errors import UserError
from faceswap.facepack.labels import frl_table, portraits, stills
from faceswap.facepack.teachers import Teachers
from faceswap.geometry.landmarks import MESH_BROWS, MESH_OVAL, five_points, outer_eye_distance
from faceswap.types import Mask, Points

SOURCES = ("landmarked", "segmented", "stills")
# What is trained on these alone may be used for anything.
UNRESTRICTED = ("stills",)
# Held back: a tenth of the identities of the stills, 6 of 20 frontal people and 2 of 7 turned ones.
_STILLS_TENTH = 7
_FRONTAL_HELD_BACK = frozenset({"2", "5", "8", "11", "14", "17"})
_TURNED_HELD_BACK = frozenset({"03", "06"})
# Colours of the classes in `segmented`, RGB: background, hair, skin, nose, eyes, mouth.
_CLASSES = np.array(
    [(255, 0, 0), (127, 0, 0), (255, 255, 0), (0, 255, 255), (0, 0, 255), (0, 255, 0)], np.int32
)
_BACKGROUND, _HAIR = 0, 1
# Brows are thinner than this part of the outer-eye distance, a fringe over them is thicker.
_BROW_THICKNESS = 0.16
# FaceMesh's outline ends below the hairline; so many times its height over the eyes reaches past it.
_FOREHEAD = 1.6
_WHITE = 238


@dataclass(frozen=True, eq=False)
class LabelledFace:
    """One face. picture: (H, W, 3) RGB uint8; landmarks: (68, 2) in its pixels.

    mask: (H, W) the face. figure: (H, W) the person with hair and clothes, beyond which anything may be
    shown, or all 1 where that is not known. scored: (H, W) where the mask is exact enough to measure by.
    person: names who is seen, the same in all pictures of one person.
    """

    source: str
    person: str
    name: str
    picture: Picture
    landmarks: Points
    mask: Mask
    figure: Mask
    scored: Mask


def labelled_faces(data: Path, held_back: bool) -> Iterator[LabelledFace]:
    """All faces that train the model, or those of the people held back to measure it."""
    if not (data / "landmarked").is_dir():
        raise UserError(f"no training data in {data}", "", "name its folder: --data DIR")
    analyst = FaceAnalyzer(load_pack(BUNDLED), min_face_px=0, max_faces=1)
    yield from _landmarked(data, analyst, held_back)
    yield from _segmented(data, analyst, held_back)
    yield from _stills(data, held_back)


def _landmarked(data: Path, analyst: FaceAnalyzer, held_back: bool) -> Iterator[LabelledFace]:
    """Studio portraits with a hand-placed outline, cut out before white."""
    outline = frl_table(data)["face_oval_polygon_frl189"]
    for name, picture, hand in portraits(data, held_back):
        mask = fill_polygon(hand[outline], *picture.shape[:2])
        found = analyst.find(picture)
        if found:
            everywhere = np.ones_like(mask)
            landmarks = found[0].landmarks
            yield LabelledFace(
                "landmarked", name, name, picture, landmarks, mask, _figure(picture), everywhere
            )


def _figure(picture: Picture) -> Mask:
    """Everything but the white that is joined to the picture's upper corners."""
    white = (picture.min(2) > _WHITE).astype(np.uint8)
    _, parts = cv2.connectedComponents(white)
    outside = (parts == parts[0, 0]) | (parts == parts[0, -1])
    inside = (~(outside & (white > 0))).astype(np.float32)
    # The cut-out's own rim is a mixture with white.
    return np.asarray(cv2.blur(cv2.erode(inside, np.ones((3, 3))), (3, 3)), np.float32)


def _segmented(data: Path, analyst: FaceAnalyzer, held_back: bool) -> Iterator[LabelledFace]:
    """Portraits with painted classes; skin there includes ears and neck, which the outline cuts off."""
    teachers = Teachers(data / "teachers")
    for path in sorted((data / "segmented").glob("*/train/rgb/*.png")):
        person = segmented_person(path)
        if person_is_held_back(person) != held_back:
            continue
        picture = read_picture(path)
        found = analyst.find(picture)
        if not found:
            continue
        landmarks = found[0].landmarks
        vertices = teachers.vertices(picture, five_points(landmarks)).astype(np.float32)
        classes = nearest_class(read_picture(path.parent.parent / "label" / path.name))
        mask = whole_face(classes, vertices, outer_eye_distance(landmarks))
        figure = cv2.blur((classes != _BACKGROUND).astype(np.float32), (3, 3))
        scored = fill_polygon(vertices[MESH_OVAL], *mask.shape)
        name = f"{person}/{path.stem}"
        yield LabelledFace("segmented", person, name, picture, landmarks, mask, figure, scored)


def segmented_person(path: Path) -> str:
    """`frontal02/7` or `multipose01/03` from a picture's path."""
    collection = path.parents[2].name
    turned = re.search(r"personne(\d\d)", path.stem)
    return f"{collection}/{turned[1] if turned else path.stem}"


def person_is_held_back(person: str) -> bool:
    """Whether a person of `segmented` is kept for measuring."""
    collection, name = person.split("/")
    return name in (_FRONTAL_HELD_BACK if collection == "frontal02" else _TURNED_HELD_BACK)


def nearest_class(label: Picture) -> NDArray[np.uint8]:
    """(H, W) index of the nearest class colour: painted edges are mixtures."""
    apart = np.abs(label[:, :, None].astype(np.int32) - _CLASSES).sum(3)
    return np.asarray(apart.argmin(2), np.uint8)


def whole_face(classes: NDArray[np.uint8], vertices: Points, eye_distance_px: float) -> Mask:
    """The face in a picture (H, W) of painted classes, from FaceMesh's (468, 2) vertices in its pixels.

    Skin, nose, eyes, mouth and brows inside the mesh's outline, which is stretched over the hairline.
    """
    height, width = classes.shape
    hair = classes == _HAIR
    face = (classes != _BACKGROUND) & ~hair
    side = max(3, int(_BROW_THICKNESS * eye_distance_px))
    thick = cv2.morphologyEx(hair.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    around = np.zeros((height, width), np.uint8)
    for brow in MESH_BROWS:
        cv2.fillPoly(around, [np.rint(vertices[brow]).astype(np.int32)], 1)
    around = np.asarray(cv2.dilate(around, np.ones((side, side), np.uint8)), np.uint8)
    brows = hair & (thick == 0) & (around > 0)
    soft = cv2.GaussianBlur((face | brows).astype(np.float32), (3, 3), 0)
    return np.asarray(soft * fill_polygon(_to_hairline(vertices), height, width), np.float32)


def _to_hairline(vertices: Points) -> Points:
    """The mesh's outline with what lies over the eyes stretched upwards."""
    left, right = vertices[33], vertices[263]
    across = (right - left) / np.linalg.norm(right - left)
    up = np.array([across[1], -across[0]])
    outline = vertices[MESH_OVAL]
    height = np.maximum((outline - (left + right) / 2) @ up, 0)
    return np.asarray(outline + np.outer((_FOREHEAD - 1) * height, up), np.float32)


def _stills(data: Path, held_back: bool) -> Iterator[LabelledFace]:
    """Synthetic faces, a quarter of them behind an occluder; their masks are rendered."""
    with zipfile.ZipFile(data / "actors" / "stills.zip") as archive:
        for face in stills(data):
            identity = face.name.partition("_")[0]
            if (int(identity) % 10 == _STILLS_TENTH) != held_back:
                continue
            truth = decode_picture(archive.read(f"mask/{face.name}.png"), face.name)
            mask = truth[..., 0].astype(np.float32) / np.float32(255)
            ones = np.ones_like(mask)
            yield LabelledFace("stills", identity, face.name, face.picture, face.points, mask, ones, ones)


def fill_polygon(points: Points, height: int, width: int) -> Mask:
    """(height, width) the inside of a polygon (N, 2) in pixel centres, with smooth edges."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / np.float32(255)
