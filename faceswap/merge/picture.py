"""A single picture swapped by a trained model: what scripts and notebooks want of the merger."""

from collections.abc import Sequence
from pathlib import Path

from faceswap.geometry.warp import crop_face
from faceswap.merge.face_masks import needs_own, needs_segmenter
from faceswap.merge.predict import Predictor, load_predictor
from faceswap.merge.render import Subject, render
from faceswap.merge.settings import MergeSettings
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.types import Frame, Mask, Points


def load_model(folder: Path, device: DeviceName = "auto", precision: Precision = "auto") -> Predictor:
    """The newest intact checkpoint of a model folder, such as workspace/model/new, ready to swap faces.

    Raises UserError where there is none, or the device cannot be used.
    """
    where = choose_device(device)
    return load_predictor(Path(folder), where, choose_dtype(precision, where))


def swap_frame(
    frame: Frame, faces: Sequence[Points], model: Predictor, settings: MergeSettings | None = None
) -> tuple[Frame, Mask]:
    """The frame with src's face in place of each of `faces`, and how much the swaps cover.

    frame: (H, W, 3) RGB uint8 or uint16, left as it is; faces: landmarks (68, 2) in its pixels. Gives a frame
    of the same type, equal to it where the mask (H, W), in [0, 1], is 0. These are the pixels that
    `stages.merge` writes, without what needs a clip or a faceset: smoothing, motion, masks of the faceset
    and of segmenters (ValueError where the settings ask for such). Mark as synthetic what you publish.
    """
    settings = settings or MergeSettings()
    if needs_own(settings.mask_mode) or needs_segmenter(settings.mask_mode):
        raise ValueError(f"mask mode {settings.mask_mode} needs a faceset or a segmenter: use stages.merge")
    size = model.resolution, model.face_type
    crops = [crop_face(frame, landmarks, *size) for landmarks in faces]
    predictions = model(crops, [settings.morph] * len(crops) if model.morphs else ()) if crops else []
    subjects = [Subject(landmarks) for landmarks in faces]
    return render(frame, subjects, predictions, model.face_type, settings, model.resolution, model.enhancer)
