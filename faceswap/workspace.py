"""Where everything of one job lies, in DeepFaceLab's folder names, and where the bundled assets are."""

from dataclasses import dataclass
from pathlib import Path

from faceswap.cli import told_apart
from faceswap.console import command
from faceswap.errors import UserError
from faceswap.types import Side

# The settings file in the folder of a model of masks, by which it is told from a model of faces.
MASK_SETTINGS = "mask_train.json"


@dataclass(frozen=True)
class Workspace:
    """The folders of one job (deepfacelab.md §1.2)."""

    root: Path

    def clip_stem(self, side: Side) -> Path:
        return self.root / f"data_{side}"

    def frames(self, side: Side) -> Path:
        return self.root / f"data_{side}"

    def aligned(self, side: Side) -> Path:
        return self.frames(side) / "aligned"

    def aligned_debug(self, side: Side) -> Path:
        return self.frames(side) / "aligned_debug"

    @property
    def merged(self) -> Path:
        return self.frames(Side.DST) / "merged"

    @property
    def merged_mask(self) -> Path:
        return self.frames(Side.DST) / "merged_mask"

    @property
    def models(self) -> Path:
        return self.root / "model"

    @property
    def result(self) -> Path:
        return self.root / "result.mp4"

    @property
    def result_mask(self) -> Path:
        return self.root / "result_mask.mp4"

    def model(self, name: str | None, *, new: bool = False) -> Path:
        """The folder of model `name`; without a name the only model, or `new` when one may be made.

        Raises UserError when several models exist and none is named, or the named one is missing.
        """
        names = sorted(p.name for p in self.models.iterdir() if p.is_dir()) if self.models.is_dir() else []
        if name is None:
            # Mask models lie among the others; who does not name a model means one of faces.
            faces = [other for other in names if not (self.models / other / MASK_SETTINGS).is_file()]
            if len(faces) > 1:
                raise UserError(
                    f"{self.models} holds {len(faces)} models and none was named",
                    "found " + ", ".join(faces),
                    f"add --model NAME, for example --model {faces[0]}",
                )
            name = faces[0] if faces else "new"
        if Path(name).name != name or name in ("", ".", ".."):
            raise UserError(
                f"{name!r} cannot be a model name", "", "use a plain name without slashes, e.g. --model new"
            )
        if not new and name not in names:
            raise UserError(
                f"no model {name!r} in {self.models}",
                told_apart(name, names, "found"),
                f"train one first: {command('stages.train', '--workspace', self.root, '--model', name)}",
            )
        return self.models / name


def assets() -> Path:
    """The folder of bundled files: inside the installed wheel, or beside the packages in a checkout."""
    inside = Path(__file__).parent / "assets"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "assets"
