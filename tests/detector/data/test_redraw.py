"""A model's redrawing of everybody in a set."""

from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.detector.data.manifest import Item, leaked_people, read_manifest, write_manifest
from faceswap.detector.data.redraw import draw_look, redraw
from faceswap.faceset.store import read_face
from faceswap.io.images import read_image, read_mask
from faceswap.merge.predict import Predictor
from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import build
from faceswap.types import FaceType
from tests.detector.toy_set import gather_toys


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Item]]:
    """A set whose real crops a random model has redrawn, and the new rows."""
    folder = tmp_path_factory.mktemp("redrawn")
    reals = gather_toys(folder)
    spec = ModelSpec(Arch.parse("DF"), 64, ae_dims=32, encoder_dims=16, decoder_dims=16, mask_dims=16)
    predictor = Predictor(build(spec), FaceType.FULL, torch.device("cpu"), torch.float32, "random")
    new = list(redraw(folder, reals, predictor, "ae-early", "random"))
    write_manifest(folder, [*reals, *new])
    return folder, new


def test_every_real_gets_a_fake_of_its_own_person_and_split(made: tuple[Path, list[Item]]) -> None:
    folder, new = made
    reals = {item.file: item for item in read_manifest(folder) if not item.is_fake}
    assert {item.twin for item in new} == reals.keys()
    for item in new:
        twin = reals[item.twin]
        assert (item.identity, item.split, item.video) == (twin.identity, twin.split, twin.video)
    assert leaked_people(read_manifest(folder)) == set()


def test_outside_the_mask_a_redrawn_crop_is_the_real_one_bit_for_bit(made: tuple[Path, list[Item]]) -> None:
    folder, new = made
    moved = []
    for item in new:
        real, fake = read_face(folder / item.twin)[0], read_image(folder / item.file)
        mask, apart = read_mask(folder / item.mask), np.abs(real.astype(int) - fake.astype(int))
        # Written with 8 bits, a mask below 1/510 is zero though it may move a pixel.
        assert apart[mask == 0].max(initial=0) <= 1
        moved.append(apart[mask > 0.2])
    assert np.concatenate(moved).mean() > 5


def test_looks_differ_from_crop_to_crop_and_follow_from_the_seed() -> None:
    looks = [draw_look(np.random.default_rng(seed)) for seed in range(20)]
    assert len({look.model_dump_json() for look in looks}) == 20
    assert looks[3] == draw_look(np.random.default_rng(3))
