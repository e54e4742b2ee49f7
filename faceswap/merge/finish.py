"""A predicted face as it will be pasted: in its crop, of the model's resolution, whatever the frame's.

Pérez, Gangnet, Blake, "Poisson image editing", SIGGRAPH 2003, equation 3: the picture whose gradients are
the face's inside the region and the surroundings' elsewhere, as near as can be. It is solved in the crop,
at the model's resolution: what is added to the face is smooth, so nothing is lost by that, it costs the
same in any frame, 16 bits stay 16 bits, and no mask is too small or too near the border.
cv2.seamlessClone gives the same look from the frame's pixels; it knows 8 bits only, refuses masks at the
border and takes seven times as long for a face of 400 px.

The order is: fitted in (seamless modes), recoloured, matched (hist-match modes), blurred along its
motion, sharpened or softened, made finer. DFL cuts the half-done result out of the frame again for most
of these (deepfacelab.md §11.3.10g); without that second pass nothing is resampled twice, the mask is not
applied twice, and a face pasted at another scale stays in place (§16.68). Making finer comes last, so
that the others' pixels are the model's whether it is asked for or not (§16.66).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from faceswap.color.matching import Moment, histogram_match
from faceswap.color.transfer import TRANSFERS
from faceswap.geometry.geometry import crop_transform
from faceswap.geometry.warp import crop_face, visible
from faceswap.merge.enhance import Enhancer, super_resolve
from faceswap.merge.filters import blur_along, filter_face
from faceswap.merge.masks import Prediction
from faceswap.merge.settings import MergeSettings
from faceswap.types import FaceType, Frame, Image, Mask, Points, Transform


def seamless_clone(face: Image, around: Image, region: NDArray[np.bool_]) -> Image:
    """`face` (R, R, 3) where `region` (R, R) holds, fitted into `around`; not clipped.

    The region's bounding box keeps `around` on its rim; between that and the region both give way, as in
    cv2.seamlessClone. A region too small to be fitted gives `face`.
    """
    left, top, width, height = cv2.boundingRect(region.astype(np.uint8))
    box = slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)
    change = face[box] - around[box]
    if min(change.shape[:2]) < 3:
        return face
    inside = region[box][..., None]
    across = np.diff(change, axis=1) * (inside[:, 1:] & inside[:, :-1])
    down = np.diff(change, axis=0) * (inside[1:] & inside[:-1])
    wanted = np.diff(across, axis=1)[1:-1] + np.diff(down, axis=0)[:, 1:-1]
    result = around.copy()
    result[box][1:-1, 1:-1] += _solve_poisson(wanted)
    return result


def _solve_poisson(laplacian: Image) -> Image:
    """The picture (H, W, 3) with this Laplacian that is 0 just outside, exact by sine transforms.

    Buzbee, Golub, Nielson, "On direct methods for solving Poisson's equations", 1970.
    """
    rows, columns = (
        2 * np.cos(np.pi * np.arange(1, side + 1) / (side + 1)) - 2 for side in laplacian.shape[:2]
    )
    factors = (rows[:, None] + columns).astype(np.float32)[..., None]
    return np.asarray(idstn(dstn(laplacian, 1, axes=(0, 1)) / factors, 1, axes=(0, 1)), np.float32)


# DFL clones where more than this of the swap shows (deepfacelab.md §16.75).
_CLONED = 0.1


@dataclass(frozen=True)
class Scene:
    """All that finishing a face may look at; `mask` is where it will show, in its crop, of any size.

    tone: (2, 3), gains and offsets of the frame's colours before the face takes them on; None: as they are.
    """

    frame: Frame
    landmarks: Points
    face_type: FaceType
    prediction: Prediction
    settings: MergeSettings
    mask: Mask
    motion: tuple[float, float] | None = None
    tone: Moment | None = None

    @property
    def size_px(self) -> int:
        return len(self.prediction.face)

    @property
    def scale(self) -> float:
        return 1 + 0.01 * self.settings.output_face_scale

    def frame_to_face(self) -> Transform:
        """Into the crop that is pasted, which is not the one the model saw when the scale is not 1."""
        return crop_transform(self.landmarks, self.size_px, self.face_type, self.scale)


def finish(scene: Scene, enhancer: Enhancer) -> Image:
    """The face of `scene` (R, R, 3), or (4R, 4R, 3) with super-resolution, within [0, 1].

    In mode raw-rgb it is the model's own, but for super-resolution.
    """
    face = scene.prediction.face if scene.settings.mode == "raw-rgb" else _treated(scene)
    power = scene.settings.super_resolution_power
    return super_resolve(face, enhancer, power) if power else face


def _treated(scene: Scene) -> Image:
    settings, face = scene.settings, scene.prediction.face
    size = (scene.size_px, scene.size_px)
    mask = np.asarray(cv2.resize(scene.mask, size, interpolation=cv2.INTER_AREA), np.float32)
    if settings.mode in ("seamless", "seamless-hist-match"):
        around, seen = _view(scene, face, scene.scale)
        face = np.clip(seamless_clone(face, around, (mask > _CLONED) | ~seen), 0, 1)
    face = _coloured(face, mask, scene)
    if scene.motion and settings.motion_blur_power:
        face = blur_along(face, scene.motion, scene.frame_to_face(), settings.motion_blur_power)
    return np.clip(filter_face(face, settings.sharpen_mode, settings.blursharpen_amount), 0, 1)


def _coloured(face: Image, mask: Mask, scene: Scene) -> Image:
    """The face with the colours that the frame has where the model looked."""
    settings = scene.settings
    matching = settings.mode in ("hist-match", "seamless-hist-match")
    if settings.color_transfer == "none" and not matching:
        return face
    target, seen = _view(scene, face, 1.0)
    if scene.tone is not None:
        gain, offset = scene.tone.astype(np.float32)
        target = np.clip(target * gain + offset, 0, 1)
    weights = mask * seen
    # The same random directions in every frame, so that a transfer that draws some does not flicker.
    face = TRANSFERS[settings.color_transfer](face, target, weights, np.random.default_rng(0))
    if matching:
        # A cloned face has its surroundings' light already; as in DFL it is matched as a whole picture.
        masked = settings.mode == "hist-match" and settings.masked_hist_match
        face = histogram_match(face, target, settings.hist_match_threshold, weights if masked else None)
    return face


def _view(scene: Scene, face: Image, scale: float) -> tuple[Image, NDArray[np.bool_]]:
    """A crop of the frame like `face`, and where it shows the frame.

    Beyond the frame it is `face`: black would darken the face by cloning and by the crop's statistics.
    """
    size_px, (height, width) = scene.size_px, scene.frame.shape[:2]
    crop = crop_face(scene.frame, scene.landmarks, size_px, scene.face_type, scale)
    frame_to_face = crop_transform(scene.landmarks, size_px, scene.face_type, scale)
    seen = visible(height, width, frame_to_face, size_px)
    return np.where(seen[..., None], crop, face), seen
