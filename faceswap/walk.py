"""The README's walk from two clips to a film, and which step of it comes next in a workspace."""

from collections.abc import Callable, Mapping
from pathlib import Path

from faceswap.console import command
from faceswap.io.files import list_images
from faceswap.media.clips import clips_beside
from faceswap.types import Side
from faceswap.workspace import MASK_SETTINGS, Workspace

# What reads that which a stage wrote, and so has to be done again after it.
_READERS = {
    "extract_src": "align_src", "extract_dst": "align_dst", "align_src": "train", "align_dst": "train",
    "mask_apply": "train", "pretrain": "train", "train": "merge", "merge": "encode", "encode": "selftest",
}  # fmt: skip
# From here on nothing of the source is read any more.
_WITHOUT_SRC = ("train", "merge", "encode")


def next_step(place: Workspace, after: str, *words: str) -> str:
    """What to type after stage `after` has done its work: the first step of the walk that is not done.

    words: flags for that step where it is the one that reads what `after` wrote. A training of many faces
    for later is `pretrain`, which training follows.
    """
    reader = _READERS.get(after)
    skipped = [f"{stage}_src" for stage in ("workspace", "extract", "align")] if after in _WITHOUT_SRC else []
    for step, is_done in _walk(place).items():
        if step == reader or not (step in skipped or is_done()):
            break
    else:
        step = "selftest"
    if step.startswith("workspace"):
        side = step.removeprefix("workspace_")
        return command("stages.workspace", "--workspace", place.root, f"--{side}", "CLIP")
    return command(f"stages.{step}", "--workspace", place.root, *(words if step == reader else ()))


def _walk(place: Workspace) -> Mapping[str, Callable[[], bool]]:
    """The steps in order, and whether each has been done."""
    frames = {side: bool(list_images(place.frames(side))) for side in Side}
    faces = {side: bool(list_images(place.aligned(side))) for side in Side}
    extracted = {side: frames[side] or faces[side] for side in Side}
    brought = {side: extracted[side] or _has_clip(place, side) for side in Side}
    return {
        "workspace_src": lambda: brought[Side.SRC],
        "workspace_dst": lambda: brought[Side.DST],
        "extract_src": lambda: extracted[Side.SRC],
        "extract_dst": lambda: extracted[Side.DST],
        "align_src": lambda: faces[Side.SRC],
        "align_dst": lambda: faces[Side.DST],
        "train": lambda: any(map(_is_trained, place.models.glob("*"))),
        "merge": lambda: _is_merged(place) or _has_film(place),
        "encode": lambda: _has_film(place),
    }


def _has_clip(place: Workspace, side: Side) -> bool:
    stem = place.clip_stem(side)
    return bool(clips_beside(stem)[0]) or stem.with_name(f"{stem.name}_clips").is_dir()


def _is_trained(model: Path) -> bool:
    return any((model / "checkpoints").glob("*")) and not (model / MASK_SETTINGS).is_file()


def _is_merged(place: Workspace) -> bool:
    merged = {path.stem for path in list_images(place.merged)}
    return bool(merged) and {path.stem for path in list_images(place.frames(Side.DST))} <= merged


def _has_film(place: Workspace) -> bool:
    names = ("result.*", "result_png", "result_tiff", "result_exr")
    return any(any(place.root.glob(name)) for name in names)
