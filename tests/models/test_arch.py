"""Names and sizes: what is accepted, what is refused and with which sentence."""

from dataclasses import replace

import pytest

from faceswap.errors import UserError
from faceswap.models.arch import Arch, ModelSpec, default_mask_dims


@pytest.mark.parametrize("name", ["DF", "DF-U", "DF-UD", "LIAE-T", "LIAE-UDT", "LIAE-UDC", "AMP", "QUICK96"])
def test_a_canonical_name_survives_parsing(name: str) -> None:
    assert str(Arch.parse(name)) == name


@pytest.mark.parametrize("name", ["liae-tdu", "LIAE-DUT", " liae-udt "])
def test_letters_come_in_any_order_and_case(name: str) -> None:
    assert Arch.parse(name) == Arch("LIAE", u=True, d=True, t=True)


def test_an_unknown_letter_is_refused_and_the_letters_that_exist_are_listed() -> None:
    with pytest.raises(UserError) as refused:
        Arch.parse("LIAE-XQ")
    sentence = str(refused.value)
    assert "no letter Q, X exists" in sentence
    assert all(f"{letter} " in sentence for letter in "UDTC")


@pytest.mark.parametrize("name", ["AMPP", "UD", "", "DF-", "DF_UD", "DF-UD-T"])
def test_an_unknown_family_is_refused_and_the_families_that_exist_are_listed(name: str) -> None:
    with pytest.raises(UserError, match=r"DF keeps.*LIAE adapts.*AMP morphs.*QUICK96"):
        Arch.parse(name)


@pytest.mark.parametrize("name", ["AMP-U", "quick96-ud"])
def test_families_of_one_variant_take_no_letters(name: str) -> None:
    with pytest.raises(UserError, match="without letters"):
        Arch.parse(name)


# deepfacelab.md §10.2, §10.4: AMP is built like t and d, its encoder like u and t; Quick96 is df-ud.
def test_families_of_one_variant_have_the_letters_of_their_layers() -> None:
    assert Arch.parse("amp") == Arch("AMP", u=True, d=True, t=True)
    assert Arch.parse("quick96") == Arch("QUICK96", u=True, d=True)


@pytest.mark.parametrize(
    ("arch", "resolution", "nearest"),
    [
        ("DF", 100, ("96", "112")),
        ("DF-UD", 112, ("96", "128")),
        ("LIAE-T", 208, ("192", "224")),
        ("DF", 32, ("64",)),
        ("LIAE-UDT", 650, ("640",)),
    ],
)
def test_an_impossible_resolution_names_the_nearest_that_work(
    arch: str, resolution: int, nearest: tuple[str, ...]
) -> None:
    with pytest.raises(UserError) as refused:
        ModelSpec(Arch.parse(arch), resolution).validate()
    assert refused.value.hint.endswith(" or ".join(f"--resolution {value}" for value in nearest))
    for value in nearest:
        ModelSpec(Arch.parse(arch), int(value)).validate()


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [
        ("encoder_dims", 63, "--encoder-dims 62 or --encoder-dims 64"),
        ("decoder_dims", 300, "--decoder-dims 256"),
        ("mask_dims", 15, "--mask-dims 16"),
        ("ae_dims", 8, "--ae-dims 32"),
    ],
)
def test_impossible_dims_name_the_nearest_that_work(field: str, value: int, nearest: str) -> None:
    with pytest.raises(UserError) as refused:
        replace(ModelSpec(Arch("DF")), **{field: value}).validate()
    assert refused.value.hint.endswith(nearest)


# deepfacelab.md §7.5: a third of the decoder's dims, odd values one up, never below 16.
@pytest.mark.parametrize(("decoder_dims", "mask_dims"), [(64, 22), (96, 32), (48, 16), (32, 16), (256, 86)])
def test_mask_dims_default_to_an_even_third(decoder_dims: int, mask_dims: int) -> None:
    assert default_mask_dims(decoder_dims) == mask_dims


@pytest.mark.parametrize(
    ("arch", "values"),
    [
        # deepfacelab.md §7.5, §10.1, §10.4.
        ("LIAE-UD", (128, 256, 64, 64, 22, None, None)),
        ("AMP", (224, 256, 64, 64, 22, 1024, 0.5)),
        ("QUICK96", (96, 128, 64, 64, 16, None, None)),
    ],
)
def test_every_family_has_its_published_defaults(arch: str, values: tuple[float | None, ...]) -> None:
    spec = ModelSpec.default(Arch.parse(arch))
    spec.validate()
    assert spec == ModelSpec(Arch.parse(arch), *values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["inter_dims", "morph_factor"])
@pytest.mark.parametrize("arch", ["DF", "LIAE-UD", "QUICK96"])
def test_what_is_amp_s_is_refused_for_the_others(arch: str, name: str) -> None:
    value = getattr(ModelSpec.default(Arch.parse("AMP")), name)
    spec = replace(ModelSpec.default(Arch.parse(arch)), **{name: value})
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} is for AMP models"):
        spec.validate()


@pytest.mark.parametrize(
    ("name", "value"), [("morph_factor", 0.6), ("morph_factor", 0.05), ("inter_dims", 16)]
)
def test_amp_s_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} {value} is not possible"):
        replace(ModelSpec.default(Arch.parse("AMP")), **{name: value}).validate()


@pytest.mark.parametrize("arch", ["LIAE-DT", "LIAE-UDTC", "AMP", "QUICK96"])
def test_a_spec_survives_json(arch: str) -> None:
    spec = replace(ModelSpec.default(Arch.parse(arch)), resolution=192, encoder_dims=48)
    assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    "damage", [{"arch": 3}, {"resolution": "128"}, {"ae_dims": None}, {"mask_dims": True}]
)
def test_damaged_json_is_refused_by_name(damage: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(damage))} missing or unreadable"):
        ModelSpec.from_json(ModelSpec(Arch("DF")).to_json() | damage)
