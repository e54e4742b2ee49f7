"""A settings file that is damaged or made to harm ends in a sentence that names it, or gives settings."""

from pathlib import Path

import pytest

from faceswap.config import StageSettings, _from_file
from faceswap.errors import UserError
from stages import align_dst, encode, merge, train
from tests.hostile import attacked, documents


@pytest.mark.parametrize("stage", [train, merge, align_dst, encode])
def test_hostile_settings_are_refused_or_are_settings(stage: object, tmp_path: Path) -> None:
    kind: type[StageSettings] = getattr(stage, "Settings", None) or stage.AlignSettings  # type: ignore[attr-defined]
    valid = kind().model_dump(mode="json", exclude={"workspace"})

    @attacked(documents({"stage": "s", "version": "0", "settings": valid}), 500)
    def read(hostile: bytes) -> None:
        (tmp_path / "c.json").write_bytes(hostile)
        try:
            cfg = kind.of(_from_file(tmp_path / "c.json", kind))
        except UserError as error:
            assert "c.json" in str(error) or "--" in str(error)
            return
        cfg.save(tmp_path / "again.json")

    read()
