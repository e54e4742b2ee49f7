"""4.1 faceset: list what is known of each face of a set, or show the set as one picture

    python -m stages.faceset list [src|dst|DIR] [--json]
    python -m stages.faceset show [src|dst|DIR] [--output FILE.png]

src and dst are the aligned faces of --workspace; DIR is any folder of aligned faces.
`list --json` prints one JSON object a face; `show` writes DIR/sheet/faces.png unless told otherwise.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg

from faceswap.config import StageSettings, option, run_stage
from faceswap.console import say
from faceswap.faceset.sheet import contact_sheet
from faceswap.faceset.store import Face, Faceset
from faceswap.geometry.landmarks import pose_deg, roll_deg
from faceswap.io.images import write_image
from faceswap.types import Side


class Settings(StageSettings):
    action: CliPositionalArg[Literal["list", "show"]] = Field(description="what to do")
    folder: CliPositionalArg[Path] = Field(
        Path("src"), description="src, dst (of --workspace), or a folder of aligned faces"
    )
    as_json: bool = Field(False, alias="json", description="list: one JSON object a face instead of a table")
    output: Path | None = option(None, "show: the picture to write")
    faces: int = option(120, "show: at most so many faces", ge=1, le=5000)
    tile_px: int = option(128, "show: side of one face", unit="px", ge=16, le=1024)


def main(cfg: Settings) -> None:
    folder = _folder(cfg)
    faceset = Faceset.open(folder)
    if cfg.action == "show":
        path = cfg.output or folder / "sheet" / "faces.png"
        write_image(path, contact_sheet(faceset, cfg.faces, cfg.tile_px))
        say(f"{min(cfg.faces, len(faceset.faces))} of {len(faceset.faces)} faces in {path}")
        return
    for face in faceset.faces:
        say(_as_json(face) if cfg.as_json else _as_row(face))
    if not cfg.as_json:
        say(f"{len(faceset.faces)} faces")


def _folder(cfg: Settings) -> Path:
    name = str(cfg.folder)
    return cfg.place.aligned(Side(name)) if name in tuple(Side) else cfg.folder.expanduser()


def _as_json(face: Face) -> str:
    return json.dumps({"name": face.path.name} | face.meta.to_json(), ensure_ascii=False)


def _as_row(face: Face) -> str:
    meta = face.meta
    pitch, yaw, _ = pose_deg(meta.crop_landmarks(), meta.size_px)
    roll = roll_deg(meta.landmarks)
    pose = f"pitch {pitch:+4.0f}° yaw {yaw:+4.0f}° roll {roll:+4.0f}°"
    kind = f"{meta.face_type} {meta.size_px} px"
    return f"{face.path.name}  from {meta.source}  {kind}  {pose}  score {meta.score:.2f}"


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
