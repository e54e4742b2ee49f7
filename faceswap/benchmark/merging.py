"""Compositing on one core, the window's preview on all, and a stream against frame files, timed.

The model is left out: a painted swap of R = 224 stands in for its answers.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from faceswap.benchmark.cases import CANVASES, FACE_PX, Scene, scene
from faceswap.benchmark.machine import cost
from faceswap.color.transfer import TRANSFERS, sot
from faceswap.faceset.metadata import FaceMeta
from faceswap.faceset.store import Faceset, write_face
from faceswap.geometry.geometry import crop_transform
from faceswap.io.files import list_images
from faceswap.io.images import write_image
from faceswap.masks.crops import MaskNetwork
from faceswap.media.encode import MASK_NOTE, NOTE, Pictures, encode, encode_frames
from faceswap.media.encoders import choose_film
from faceswap.media.extract import extract
from faceswap.media.ffmpeg import ffmpeg_binary
from faceswap.media.timestamps import Choice
from faceswap.media.timing import Timing, find_timing
from faceswap.merge.enhance import BUNDLED
from faceswap.merge.keyframes import FrameSettings, Keyframes
from faceswap.merge.masks import Prediction
from faceswap.merge.plan import ClipFaces, plan
from faceswap.merge.preview import Previewer
from faceswap.merge.record import Record
from faceswap.merge.render import compose
from faceswap.merge.run import Merger, merge
from faceswap.merge.settings import MergeSettings, Mode
from faceswap.merge.stream import Films, find_source, stream
from faceswap.types import FaceType, Image, Json, Mask, Side
from faceswap.workspace import Workspace

_R = 224
# What the window shows while a slider moves: `faceswap.gui.merge_window.window.PREVIEW_PX`.
_PREVIEW_PX = 960
# The model's own picture is laid over nothing.
_MODES = [mode for mode in get_args(Mode) if mode != "raw-predict"]


class Painted:
    """A swapper whose answer is always the same."""

    resolution, face_type, enhancer, morphs = _R, FaceType.WHOLE, BUNDLED, False

    def __init__(self) -> None:
        mask: Mask = np.zeros((_R, _R), np.float32)
        cv2.ellipse(mask, (112, 112), (70, 95), 0, 0, 360, 1.0, -1)
        noise = np.random.default_rng(0).random((_R, _R, 3), np.float32)
        self.answer = Prediction(np.asarray(cv2.GaussianBlur(noise, (9, 9), 3), np.float32), mask, mask)

    @property
    def segmenter(self) -> MaskNetwork:
        raise NotImplementedError("no look that is measured asks for it")

    def __call__(self, crops: Sequence[Image], _morphs: Sequence[float] = ()) -> list[Prediction]:
        return [self.answer] * len(crops)


def bench_compositing(seconds: float) -> Json:
    """One frame on one core, without files: a face of 400 px, overlay and RCT where nothing else is said."""
    cv2.setNumThreads(1)
    painted = Painted()
    frames = {name: scene(canvas) for name, canvas in CANVASES.items()}

    def composited(place: Scene, **look: object) -> Json:
        settings = MergeSettings.model_validate({"erode": 100, "blur": 100} | look)
        return cost(partial(compose, *place, FaceType.WHOLE, painted.answer, settings), seconds)

    full_hd = frames["1080p"]
    rows: Json = {"face_px": FACE_PX, "resolution": _R}
    for name, place in frames.items():
        rows[f"{name}, 20/50"] = composited(place, erode=20, blur=50)
    rows |= {f"{mode}, 100/100": composited(full_hd, mode=mode) for mode in _MODES}
    rows |= {f"{name}, 100/100": composited(full_hd, color_transfer=name) for name in TRANSFERS}
    rows["4K over 1080p"] = round(rows["4K, 20/50"]["cpu_ms"] / rows["1080p, 20/50"]["cpu_ms"], 2)
    target = cv2.resize(full_hd.frame, (_R, _R)).astype(np.float32) / 255
    alone = partial(sot, painted.answer.face, target, weights=painted.answer.mask_prd)
    rows["sot alone"] = cost(lambda: alone(rng=np.random.default_rng(0)), seconds)
    return rows


def bench_preview(seconds: float) -> Json:
    """A slider moved on a 1080p frame whose prediction is cached: the picture shown at once and the whole."""
    rows: Json = {}
    looks: dict[str, MergeSettings]
    with tempfile.TemporaryDirectory() as folder:
        place = scene(CANVASES["1080p"])
        frame = Path(folder) / "00001.png"
        write_image(frame, place.frame)
        previewer = Previewer(ClipFaces((frame,), ((place.landmarks,),)), Painted())
        looks = {mode: MergeSettings(mode=mode, erode=100, blur=100) for mode in _MODES}
        most = {"color_transfer": "mix-m", "super_resolution_power": 100, "blursharpen_amount": -50}
        looks["everything"] = looks["seamless-hist-match"].model_copy(update=most)
        for name, settings in looks.items():
            for size, limit_px in ((f"{_PREVIEW_PX} px", _PREVIEW_PX), ("1080p", None)):
                show = partial(previewer.show, 0, FrameSettings(settings, {}), limit_px)
                rows[f"{name}, {size}"] = cost(show, seconds)
    return rows


def bench_stream(seconds: float) -> Json:
    """Frames a second of 1080p from clip to film and its mask's, straight and by way of PNG frames."""
    count = max(24, round(6 * seconds))
    film = choose_film("h264", ffmpeg_binary())
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder))
        clip, frames = place.clip_stem(Side.DST).with_suffix(".mp4"), place.frames(Side.DST)
        scenes = [scene(CANVASES["1080p"], 0.1 * number) for number in range(8)]
        times = Timing(tuple((f"{n + 1:05d}", n / 25) for n in range(count)), 25.0, None)
        pictures = (scenes[n % 8].frame for n in range(count))
        encode_frames(clip, pictures, times, film, sound=False, note=NOTE)
        for n in range(count):
            _write_face(place.aligned(Side.DST), f"{n + 1:05d}", scenes[n % 8])
        extract_s = _seconds(lambda: extract([clip], frames, Choice()))
        tasks = plan(ClipFaces.of(frames, Faceset.open(place.aligned(Side.DST))), "painted", Keyframes())
        cores = os.cpu_count() or 1

        def by_files() -> None:
            record = Record(place.merged, place.merged_mask)
            merge(record.begin(tasks), Merger(record, Painted(), 4, cores))
            timing = find_timing(place, None, None)
            for made, target, note in (
                (place.merged, place.result, NOTE),
                (place.merged_mask, place.result_mask, MASK_NOTE),
            ):
                encode(target, Pictures(list_images(made)), timing, film, sound=False, note=note)

        def straight() -> None:
            films = Films(film, place.result, place.result_mask, sound=False)
            stream(find_source(place, None), tasks, Painted(), 4, cores, films)

        files_s, stream_s = _seconds(by_files), _seconds(straight)
    return {
        "unit": "frames/s",
        "frames": count,
        "extract, merge, encode": round(count / (extract_s + files_s), 2),
        "merge, encode": round(count / files_s, 2),
        "stream": round(count / stream_s, 2),
        "stream over merge, encode": round(files_s / stream_s, 2),
    }


def _write_face(folder: Path, stem: str, place: Scene) -> None:
    size_px = 64
    to_face = crop_transform(place.landmarks, size_px, FaceType.WHOLE)
    meta = FaceMeta(f"{stem}.png", to_face, size_px, place.landmarks, FaceType.WHOLE, Side.DST, 0, 1.0)
    write_face(folder / f"{stem}_0.png", np.zeros((size_px, size_px, 3), np.uint8), meta)


def _seconds(once: Callable[[], object]) -> float:
    begun = time.perf_counter()
    once()
    return time.perf_counter() - begun
