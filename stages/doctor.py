"""- doctor: check the machine: libraries, ffmpeg and its encoders, GPU, models, disk, memory

    python -m stages.doctor

Says what is missing, what that costs and what to type. Ends with 2 when something is missing that stages
cannot do without. Changes nothing.
"""

from typing import ClassVar

from faceswap.config import StageSettings, run_stage
from faceswap.console import say
from faceswap.doctor import examine
from faceswap.errors import UserError


class Settings(StageSettings):
    needs_workspace: ClassVar[bool] = False


def main(cfg: Settings) -> None:
    missing = []
    for finding in examine(cfg.workspace):
        say(str(finding))
        if finding.state == "missing":
            missing.append(finding.subject)
    if missing:
        raise UserError(f"missing here: {', '.join(missing)}", "", "what to type stands above, beside each")


if __name__ == "__main__":
    run_stage(Settings, main, __doc__)
