"""AMP against deepfacelab.md §10.2, with both inters trained."""

import pytest
import torch

from faceswap.models.arch import Arch, ModelSpec
from faceswap.models.families import AMP, build

SPEC = ModelSpec(Arch.parse("AMP"), 64, 32, 16, 16, 16, inter_dims=48, morph_factor=0.3)
ONES = 14  # int(48 · 0.3)


def small(seed: int = 0) -> AMP:
    model = build(SPEC, seed)
    assert isinstance(model, AMP)
    return model


def faces(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def drawn(model: AMP, count: int, seed: int = 0) -> torch.Tensor:
    return model.draw(torch.Generator().manual_seed(seed), count)["channels"]


def test_parameter_counts_follow_from_the_published_parts() -> None:
    # §7.2 [V], R = 128, e = 64, d = 64, m = 22: encoder t 15 654 144, decoder udt 34 455 979 on 256 channels.
    # §10.2 adds dense1, widens the decoder's two first layers to I = 1024 channels, and has no other layer.
    spec = ModelSpec(Arch.parse("AMP"), 128, inter_dims=1024, morph_factor=0.5)
    with torch.device("meta"):
        parts = {name: sum(p.numel() for p in part.parameters()) for name, part in AMP(spec).named_children()}
    dense1 = 512 * 4 * 4 * 256 + 256
    dense2 = 256 * 4 * 4 * 1024 + 4 * 4 * 1024
    wider = (1024 - 256) * 3 * 3 * 4 * (512 + 176)
    assert parts == {
        "encoder": 15_654_144 + dense1,
        "inter_src": dense2,
        "inter_dst": dense2,
        "decoder": 34_455_979 + wider,
    }


def test_every_face_of_src_has_its_own_random_channels_and_always_as_many() -> None:
    model = small()
    channels = drawn(model, 64)
    assert channels.shape == (64, 48) and channels.sum(1).eq(ONES).all()
    assert len(channels.unique(dim=0)) == 64
    share = channels.float().mean(0)
    assert (share > 0).all() and (share < 1).all(), "every channel comes from either inter"


def test_channels_follow_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    model = small()
    assert torch.equal(drawn(model, 4, seed=3), drawn(model, 4, seed=3))
    assert not torch.equal(drawn(model, 4, seed=3), drawn(model, 4, seed=4))
    assert torch.equal(before, torch.random.get_rng_state())


def test_src_is_mixed_channel_by_channel_and_dst_is_its_own() -> None:
    model, src, dst = small(), faces(2), faces(1, seed=1)
    channels = drawn(model, 2)
    with torch.inference_mode():
        b = channels.float()[:, :, None, None]
        code = model.encoder(src)
        mixed = model.inter_src(code) * b + model.inter_dst(code) * (1 - b)
        expected = (*model.decoder(mixed), *model.decoder(model.inter_dst(model.encoder(dst))))
        torch.testing.assert_close(tuple(model(src, dst, channels=channels)), expected)


@pytest.mark.parametrize(("morph", "count"), [(0.0, 0), (0.25, 12), (0.5, 24), (0.99, 47), (1.0, 48)])
def test_a_swap_takes_its_first_channels_from_src_s_inter(morph: float, count: int) -> None:
    model, dst = small(), faces(2)
    with torch.inference_mode():
        code = model.encoder(dst)
        by_src, by_dst = model.inter_src(code), model.inter_dst(code)
        face, mask = model.decoder(torch.cat((by_src[:, :count], by_dst[:, count:]), dim=1))
        swap = model.swap(dst, morph)
        torch.testing.assert_close(tuple(swap), (face, mask, model.decoder(by_dst)[1]))


def test_no_channel_is_lost_to_rounding() -> None:
    # In float32 1000 · 0.29 is 289.99999.
    spec = ModelSpec(Arch.parse("AMP"), 64, 32, 16, 16, 16, inter_dims=1000, morph_factor=0.5)
    model, dst = build(spec), faces(1)
    with torch.inference_mode():
        torch.testing.assert_close(model.swap(dst, 0.29), model.swap(dst, torch.tensor([0.2905])))


def test_each_face_of_a_batch_may_have_a_morph_of_its_own() -> None:
    model, dst = small(), faces(3)
    morphs = [0.0, 0.4, 1.0]
    with torch.inference_mode():
        together = model.swap(dst, torch.tensor(morphs))
        for index, morph in enumerate(morphs):
            alone = model.swap(dst[index : index + 1], morph)
            torch.testing.assert_close(together.face[index], alone.face[0], atol=1e-5, rtol=0)


def test_dst_is_itself_at_morph_0_and_src_does_not_change_it() -> None:
    model, dst = small(), faces(2)
    with torch.inference_mode():
        rebuilt = model(faces(1, seed=1), dst)
        torch.testing.assert_close(model.swap(dst, 0.0).face, rebuilt.dst_dst)


def test_both_inters_are_trained_unlike_deepfacelab_s() -> None:
    # §16.46. Every channel of inter_src that a face has drawn learns; those it has not do not.
    model = small()
    channels = drawn(model, 1)
    model(faces(1), faces(1, seed=1), channels=channels).src_src.mean().backward()
    gradients = model.inter_src.dense2.weight.grad
    assert gradients is not None
    learnt = gradients.view(48, -1).any(dim=1)
    assert torch.equal(learnt, channels[0])
    assert model.inter_dst.dense2.weight.grad is not None and model.inter_dst.dense2.weight.grad.any()
