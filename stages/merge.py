"""7 merge: lay the swapped face over every frame of the destination

    python -m stages.merge --workspace DIR --model NAME
    python -m stages.merge --workspace DIR --model NAME --interactive
    python -m stages.merge --workspace DIR --model NAME --stream [--codec hevc …]

Reads data_dst/, data_dst/aligned/ (only faces that are there are swapped) and model/NAME/, writes
data_dst/merged/ and data_dst/merged_mask/. Frames without a face are passed on as they are.
--interactive opens a window, whose session (model/NAME/merge_session.json) is kept at every step; without
it the same session is replayed, to the same pixels. Stopped, the same command continues; --again replaces
frames that were made another way.
--stream goes from data_dst.* to result.mp4 and result_mask.mp4 at once, with the pixels, times, sound and
tags that merge and encode give: no frame is read or written as a file, those of data_dst may be gone.
--codec, --quality, --bits, --alpha, --hardware and --sound are those of stages.encode. Stopped, it starts
over.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from faceswap.config import option, run_stage
from faceswap.console import command, say, warn
from faceswap.errors import UserError
from faceswap.faceset.store import Faceset
from faceswap.faceset.stored_masks import count_known, counted, masks_of
from faceswap.masks.selection import choose_model
from faceswap.media.alpha import carried_alpha
from faceswap.media.dynamic_range import warn_of_ranges
from faceswap.media.film import FilmSettings, kept_in
from faceswap.merge.face_masks import needs_own, needs_segmenter
from faceswap.merge.flicker import Flicker, flicker
from faceswap.merge.keyframes import Keyframes
from faceswap.merge.plan import ClipFaces, Task, plan
from faceswap.merge.record import Record
from faceswap.merge.run import Merger, Summary, merge
from faceswap.merge.session import NAME, Clip, Session
from faceswap.merge.settings import HEADINGS, MergeSettings
from faceswap.merge.steady import ClipMeasures
from faceswap.merge.stream import Films, find_source, stream
from faceswap.runtime import DeviceName, Precision, choose_device, choose_dtype
from faceswap.types import Side
from faceswap.walk import next_step

if TYPE_CHECKING:
    from faceswap.merge.predict import Predictor

_LOOK = frozenset(MergeSettings.model_fields)
# What only a stream has.
_FILM = frozenset(FilmSettings.__annotations__) | {"input"}


class Settings(FilmSettings, MergeSettings):
    groups: ClassVar = HEADINGS

    model: str | None = option(None, "name of the model; the only one if there is one")
    interactive: bool = option(False, "open the window; settings below are what a new session begins with")
    stream: bool = option(False, "write the finished video at once, and no frames")
    input: Path | None = option(None, "the clip to stream, instead of data_dst.*")
    session: Literal["resume", "new", "adopt", "ignore"] = option(
        "resume",
        "what to do with a session that is there: go on, begin another and keep the old file, take it over "
        "for other frames, or merge by the settings below alone",
    )
    upscaler: Path | None = option(
        None,
        "an ONNX network of your own for super-resolution, × 2 or × 4; a session keeps it, and 'bundled' "
        "goes back to the bundled method",
    )
    mask_model: str | None = option(
        None,
        "what masks xseg-* ask: a name in model/, or bundled; by default model/masks, else the bundled one",
    )
    device: DeviceName = option("auto", "where the model runs")
    precision: Precision = option("auto", "arithmetic of the model; auto is bf16 where the device has it")
    batch_size: int = option(0, "faces swapped at a time; 0 is 4 on a processor, 16 on a GPU", ge=0, le=256)
    workers: int = option(0, "frames composited at a time; 0 is one a core", ge=0, le=128)
    again: bool = option(False, "replace frames made with other settings, model or faces")

    def writes(self) -> Iterable[Path]:
        return [self.target(self.place.result) if self.stream else self.place.merged]

    def reads(self) -> Iterable[Path]:
        aligned = self.place.aligned(Side.DST)
        return [aligned, masks_of(aligned), *([] if self.stream else [self.place.frames(Side.DST)])]

    def look(self) -> MergeSettings:
        """The part that decides what the pixels are."""
        return MergeSettings(**self.model_dump(include=set(_LOOK)))


class Engine(NamedTuple):
    """What swaps faces, how many at a time, and how many frames are composited at a time."""

    predictor: "Predictor"
    batch_size: int
    workers: int


def main(cfg: Settings) -> None:
    given = [f"--{flag}" for flag in sorted(_FILM & cfg.model_fields_set)]
    if cfg.stream and cfg.interactive:
        found = "--stream writes a video at once, --interactive works on frames"
        raise UserError("there is no window for a stream", found, "leave one of them out")
    if given and not cfg.stream:
        raise UserError(f"{', '.join(given)} is for a stream", "", "add --stream, or leave it out")
    warn_of_ranges(cfg.place)
    if cfg.stream:
        with starts_over():
            stream_clip(cfg)
    else:
        merge_frames(cfg)


def merge_frames(cfg: Settings) -> None:
    """From frame files to frame files, in the window or without."""
    place = cfg.place
    run = place.model(cfg.model)
    faceset = Faceset.open(place.aligned(Side.DST))
    clip_faces = ClipFaces.of(place.frames(Side.DST), faceset)
    if cfg.session == "new":
        find_engine(cfg, run, None)  # Refuses before the session that is there is put away.
    session = find_session(cfg, run / NAME, clip_faces)
    engine = find_engine(cfg, run, session)
    clip_faces = replace(clip_faces, segmenter=lambda: engine.predictor.segmenter.identity)
    predictor, record = engine.predictor, Record(place.merged, place.merged_mask)
    measures = ClipMeasures(clip_faces, predictor.identity, predictor.face_type, run / "cache")
    merger = Merger(record, *engine, measures)
    if cfg.interactive and session:
        from faceswap.gui.merge_window.window import edit

        edit(session, clip_faces, merger, predictor.identity)
        tell_what_is_left(cfg, plan(clip_faces, predictor.identity, session.looks), record)
        return
    tasks = plan(clip_faces, predictor.identity, session.looks if session else Keyframes(cfg.look()))
    describe(predictor, faceset, tasks, session)
    todo = record.begin(tasks, "all" if cfg.again else "own" if session else "none")
    keep_settings(cfg, session)
    already = len(tasks) - len(todo)
    summary = merge(todo, merger, already=already)
    tell_flicker(flicker(clip_faces, measures, tasks))
    report(summary, already, cfg)


def stream_clip(cfg: Settings) -> None:
    """From the clip to the finished video."""
    place = cfg.place
    run = place.model(cfg.model)
    faceset = Faceset.open(place.aligned(Side.DST))
    source = find_source(place, cfg.input)
    clip_faces = ClipFaces.of_frames(source.paths(place.frames(Side.DST)), faceset)
    session = find_session(cfg, run / NAME, clip_faces)
    own = None if cfg.alpha else carried_alpha(source.timing, cfg.codec, cfg.target(place.result).name)
    film = cfg.film(source.is_deep, alpha=own is not None)
    engine = find_engine(cfg, run, session)
    predictor = engine.predictor
    clip_faces = replace(clip_faces, segmenter=lambda: predictor.segmenter.identity)
    tasks = plan(clip_faces, predictor.identity, session.looks if session else Keyframes(cfg.look()))
    describe(predictor, faceset, tasks, session)
    mask = None if cfg.alpha else kept_in(place.result_mask, film)
    films = Films(film, kept_in(place.result, film), mask, cfg.sound, own)
    origin = source.clip.fingerprint
    measures = ClipMeasures(clip_faces, predictor.identity, predictor.face_type, run / "cache", str(origin))
    summary = stream(source, tasks, *engine, films, measures)
    tell_flicker(flicker(clip_faces, measures, tasks))
    cfg.save(place.root / "merge_stream.json", _LOOK if session else ())
    merged = f"{summary.merged} frames merged ({summary.faces} faces)"
    say(f"{merged}, {summary.without_face} without a face passed on")
    say(f"{len(tasks)} frames in {films.picture}{f', their masks in {mask}' if mask else ''}")


@contextmanager
def starts_over() -> Iterator[None]:
    """Do not promise that a stopped stage continues."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note("no video was written, the same command starts over")
        raise


def find_engine(cfg: Settings, run: Path, session: Session | None) -> Engine:
    """A model's newest checkpoint and the upscaler, which a session keeps, on the device they run on."""
    # torch takes seconds to import; what is missing should be said at once.
    from faceswap.merge.predict import load_predictor

    device = choose_device(cfg.device)
    upscaler = session.upscaler if session else None
    if cfg.upscaler is not None:
        upscaler = None if str(cfg.upscaler) == "bundled" else cfg.upscaler.resolve()
    predictor = load_predictor(run, device, choose_dtype(cfg.precision, device), upscaler)
    predictor.mask_model = choose_model(cfg.place, cfg.mask_model)
    if session and session.upscaler != upscaler:
        session.upscaler = upscaler
        session.save()
    batch_size = cfg.batch_size or (4 if device.type == "cpu" else 16)
    return Engine(predictor, batch_size, cfg.workers or os.cpu_count() or 1)


def find_session(cfg: Settings, path: Path, clip_faces: ClipFaces) -> Session | None:
    """The session to go on with, replay or begin; None where there is none to replay."""
    if not cfg.interactive and (cfg.session == "ignore" or not path.is_file()):
        return None
    if cfg.session == "ignore":
        raise UserError(
            "the window keeps a session", "--session ignore", "leave it out, or type --session new"
        )
    given = sorted(_LOOK & cfg.model_fields_set)
    if given and path.is_file() and cfg.session != "new":
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError(
            f"there is a merge session, {path}, and it has settings of its own",
            f"{flags} given as well",
            "leave them out to use the session, add --interactive --session new to begin another with them, "
            "or --session ignore to merge by them alone",
        )
    if cfg.session == "new" and not cfg.interactive:
        raise UserError("a new session is made in the window", "", "add --interactive, or --session ignore")
    return Session.open(path, Clip.of(clip_faces.frames), cfg.look(), cfg.session)


def keep_settings(cfg: Settings, session: Session | None) -> None:
    """Write what replays this merge beside its frames; a session has the look, and replays it alone."""
    # Replaying a look should not replay the permission to replace files.
    without = _FILM | (_LOOK if session else frozenset())
    cfg.model_copy(update={"again": False}).save(cfg.place.merged / "merge.json", without)


def describe(predictor: "Predictor", faceset: Faceset, tasks: list[Task], session: Session | None) -> None:
    model = predictor.identity.partition(",")[0]
    masks = sorted({task.settings.mask_mode for task in tasks})
    say(f"model {model}: {predictor.face_type} faces of {predictor.resolution} px, mask {', '.join(masks)}")
    types = {face.meta.face_type for face in faceset.faces} - {predictor.face_type}
    if types:
        # The crops themselves are not read, so any face type serves.
        found = f"data_dst/aligned holds {', '.join(sorted(types))} faces"
        say(f"{found}; {predictor.face_type} crops are cut from the frames by their landmarks")
    if any(map(needs_own, masks)):
        say(f"data_dst/aligned: {counted(count_known(faceset.faces))}")
    if any(map(needs_segmenter, masks)):
        say(f"mask model {predictor.segmenter.identity}; xseg-dst asks it where no mask is drawn or stored")
    if session:
        keys = len(session.looks.frames())
        say(f"replaying {session.path.name}: settings change at {keys} frames")
        if session.clip.digest is None:
            say("frame files are gone: names and number alone tell that the session is of this clip")
    if not predictor.morphs and any(task.settings.morph != 1 for task in tasks):
        warn("this model does not morph: --morph changes nothing")
    crowded = sum(len(task.faces) > 1 for task in tasks)
    if crowded:
        say(f"{crowded} frames hold several faces; each is swapped")


def tell_flicker(figures: tuple[Flicker, Flicker] | None) -> None:
    """Say what smoothing along the clip has brought, where it was asked for."""
    if figures is None:
        return
    before, after = figures
    say(
        f"the light of the faces trembles by {after.light:.2f} of 255 levels (median second difference), "
        f"before by {before.light:.2f}; their masks change by {after.mask:.1%} of their area from frame to "
        f"frame, before by {before.mask:.1%}"
    )


def tell_what_is_left(cfg: Settings, tasks: list[Task], record: Record) -> None:
    left = sum(not record.is_done(task) for task in tasks)
    say(f"{len(tasks) - left} of {len(tasks)} frames are merged as the session says")
    model = ["--model", cfg.model] if cfg.model else []
    unfinished = command("stages.merge", "--workspace", cfg.workspace, *model)
    say(f"next: {unfinished if left else next_step(cfg.place, 'merge')}")


def report(summary: Summary, already: int, cfg: Settings) -> None:
    merged = f"{summary.merged} frames merged ({summary.faces} faces)"
    say(f"{merged}, {summary.without_face} without a face passed on, {already} were there already")
    if len(summary.sizes) > 1:
        found = summary.sizes.items()
        sizes = ", ".join(f"{width}×{height} from {stem} on" for (height, width), stem in found)
        warn(f"the frames have {len(summary.sizes)} sizes ({sizes}); a video needs one")
    if not summary.damaged:
        say(f"merged frames in {cfg.place.merged}")
        say(f"next: {next_step(cfg.place, 'merge')}")
        return
    for damage in summary.damaged:
        warn(f"{damage.path.name}: {damage.reason}")
    raise UserError(
        f"{len(summary.damaged)} frames could not be read and are missing in {cfg.place.merged}",
        "all others are merged; the damaged ones are named above",
        f"move them away, type {command('stages.extract_dst', '--workspace', cfg.workspace)} to get them "
        "again, "
        "then merge again: it continues",
    )


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
