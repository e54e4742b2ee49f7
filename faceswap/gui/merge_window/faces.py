"""The faces of a frame, as the window marks and names them."""

from collections.abc import Sequence

import numpy as np

from faceswap.gui.canvas import Mark
from faceswap.merge.editing import Editor
from faceswap.merge.preview import Shown
from faceswap.types import Points


def marks(shown: Shown, editor: Editor) -> list[Mark]:
    """A rectangle for every face of the frame, where they are several or one is not swapped."""
    actions = [editor.look.action(number) for number in range(len(shown.faces))]
    if len(actions) < 2 and set(actions) <= {"swap"}:
        return []
    made = []
    for number, (points, action) in enumerate(zip(shown.faces, actions, strict=True)):
        left, top = points.min(0) / shown.scale
        width, height = np.ptp(points, axis=0) / shown.scale
        made.append(Mark((left, top, width, height, f"{number + 1} {action}", number == editor.face)))
    return made


def faces_told(editor: Editor) -> str:
    """What happens to the faces of the frame, in words."""
    actions = [editor.look.action(number) for number in range(len(editor.clip.faces[editor.at]))]
    if len(actions) < 2:
        return actions[0] if actions else "no face"
    return "faces: " + ", ".join(f"{number} {action}" for number, action in enumerate(actions, 1))


def face_at(faces: Sequence[Points], x: float, y: float) -> int | None:
    """The face at a place of the frame."""
    for number, points in enumerate(faces):
        (left, top), (right, bottom) = points.min(0), points.max(0)
        if left <= x <= right and top <= y <= bottom:
            return number
    return None
