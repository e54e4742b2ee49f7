"""Aligning and judging, timed on bundled input."""

import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from faceswap.align.analysis import FaceAnalyzer
from faceswap.align.extract import CropStyle, align_frames
from faceswap.align.packs import load_pack
from faceswap.benchmark.machine import calls_per_s, matrix_peak_flops
from faceswap.detector.data.gather import CROP_PX
from faceswap.detector.network.files import load_detector
from faceswap.detector.network.judge import BATCH, Judge
from faceswap.geometry.landmarks import outer_eye_distance
from faceswap.io.documents import read_json
from faceswap.io.images import write_image
from faceswap.media.storyboard import frames_at
from faceswap.runtime import choose_dtype
from faceswap.types import Frame, Json, Points, Side
from faceswap.workspace import assets

CANVASES = {"720p": (720, 1280), "1080p": (1080, 1920), "4K": (2160, 3840)}
FACE_PX = 400
# A face of the demo's actor, brow to chin, is this many outer-eye distances high.
_FACE_IN_EYE_DISTANCES = 1.6


class Scene(NamedTuple):
    """A frame with one face about FACE_PX high, and the face's landmarks in it."""

    frame: Frame
    landmarks: Points


def scene(canvas: tuple[int, int], moment: float = 0.3) -> Scene:
    """The demo's actor enlarged to a face of FACE_PX and set into the middle of a canvas (height, width)."""
    clip = assets() / "demo" / "actor_b.mp4"
    truth = read_json(clip.with_suffix(".json"))["frames"]
    # The truth counts from the corner of the first pixel.
    points = np.array(truth[int(moment * len(truth))]["landmarks68"], np.float32) - np.float32(0.5)
    scale = FACE_PX / (_FACE_IN_EYE_DISTANCES * outer_eye_distance(points))
    middle = np.array([canvas[1], canvas[0]], np.float64) / 2 - scale * points[27:31].mean(axis=0)
    to_canvas = np.column_stack([np.eye(2) * scale, middle])
    frame = cv2.warpAffine(frames_at(clip, [moment])[0], to_canvas, canvas[::-1], flags=cv2.INTER_CUBIC)
    return Scene(frame, (points * scale + middle).astype(np.float32))


def bench_align(seconds: float, workers: int) -> Json:
    """Frames a second from PNG frames on disk to crops on disk, bundled pack, after a warm-up."""
    rates: Json = {"unit": "frames/s", "workers": workers}
    analyst = FaceAnalyzer(load_pack("bundled", "auto"))
    with tempfile.TemporaryDirectory() as folder:
        for name, canvas in CANVASES.items():
            frames = [Path(folder) / f"{name}_{number}.png" for number in range(8)]
            for number, path in enumerate(frames):
                write_image(path, scene(canvas, 0.1 * number).frame)
            out = Path(folder) / "aligned"
            out.mkdir(exist_ok=True)
            results = align_frames(_repeat(frames, 4000), out, analyst, CropStyle(Side.DST), workers)
            rates[name] = round(calls_per_s(partial(next, results), seconds, warm_up=8), 1)
            # Ends the workers: what they had begun is finished, nothing further is.
            del results
    return rates


def _repeat(paths: list[Path], count: int) -> list[Path]:
    return (paths * (count // len(paths) + 1))[:count]


def bench_judge(seconds: float, device: torch.device) -> Json:
    """Crops a second that the bundled detector judges in batches, shrinking included, cutting out not."""
    detector, card = load_detector(assets() / "detector")
    dtype = choose_dtype("auto", device)
    judge = Judge(detector, card.temperature, device, dtype)
    crops = list(np.random.default_rng(0).integers(0, 256, (BATCH, CROP_PX, CROP_PX, 3), dtype=np.uint8))
    rate = BATCH * calls_per_s(lambda: list(judge(crops)), seconds, warm_up=2)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        detector(torch.zeros(1, 3, detector.input_px, detector.input_px, device=device))
    flops, peak = counter.get_total_flops(), matrix_peak_flops(device, dtype)
    return {
        "precision": str(dtype).removeprefix("torch."),
        "crops_per_s": round(rate, 1),
        "gflop_per_crop": round(flops / 1e9, 3),
        "share_of_peak": round(flops * rate / peak, 3),
    }
