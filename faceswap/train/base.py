"""A base model: what of a trained model another one starts from."""

from pathlib import Path

import torch
from torch import Tensor

from faceswap.errors import UserError
from faceswap.learn import checkpoint
from faceswap.learn.stored import stored_model
from faceswap.models.arch import ModelSpec
from faceswap.models.swap import SwapModel
from faceswap.workspace import assets

WEIGHTS = "weights"
_SRC, _DST = "decoder_src.", "decoder_dst."
# Of LIAE: what src and dst share and a swap is made of. Where both sides were the same people it gives dst's
# face back, and goes on doing so (deepfacelab.md §8.7 draws it anew after pretraining, too).
_MERGED = "inter_AB."


def export_base(run: Path, target: Path) -> checkpoint.Loaded:
    """Write the newest weights of `run` to the new folder `target` in half precision, for `--base`.

    A base has trained on the same faces for both sides: of DF's two decoders only src's is kept, of LIAE all
    but inter_AB. A start needs no more digits: the first updates move weights further than the rounding did.
    Raises UserError when the run has no intact checkpoint or `target` exists.
    """
    if target.exists():
        raise UserError(f"{target} already exists", "", "move it away, or name another --output")
    loaded = checkpoint.load(run, [WEIGHTS])
    kept = {name: value.half() for name, value in loaded.tensors[WEIGHTS].items() if _is_kept(name)}
    names = ("iteration", "samples", "seed", "spec", "face_type", "version")
    checkpoint.write(target, {WEIGHTS: kept}, {name: loaded.state[name] for name in names})
    return loaded


def _is_kept(name: str) -> bool:
    return not name.startswith((_DST, _MERGED))


def _check_base(loaded: checkpoint.Loaded) -> None:
    """A base may lack weights, and a model may take part of them; its description must be one."""
    ModelSpec.from_json(stored_model(loaded).spec)


def _for_both_sides(base: checkpoint.Loaded) -> dict[str, Tensor]:
    """What `base` offers in float32, with src's decoder in place of a missing one of dst."""
    offered = base.tensors[WEIGHTS]
    if base.state.get("pretraining"):
        offered = {name: value for name, value in offered.items() if not name.startswith(_MERGED)}
    twins = {_DST + name.removeprefix(_SRC): name for name in offered if name.startswith(_SRC)}
    both = {twin: offered[name] for twin, name in twins.items()} | dict(offered)
    return {name: value.to(torch.float32) for name, value in both.items()}


def base_names() -> list[str]:
    """The bundled bases, sorted."""
    return sorted(path.parent.name for path in (assets() / "base").glob(f"*/{checkpoint.STATE}"))


def find_base(base: str) -> checkpoint.Loaded:
    """The weights of a bundled base by name, or of a model folder or checkpoint by path."""
    bundled = assets() / "base"
    for path in (bundled / base, Path(base)):
        if (path / checkpoint.STATE).is_file():
            return checkpoint.read(path, [WEIGHTS], _check_base)
        if checkpoint.exists(path):
            return checkpoint.load(path, [WEIGHTS], _check_base)
    raise UserError(
        f"no base model {base!r}",
        f"bundled: {', '.join(base_names()) or 'none'}",
        "name one of these, a model folder, or a folder that holds state.json and weights.safetensors",
    )


def adopt(model: SwapModel, base: checkpoint.Loaded) -> tuple[str, ...]:
    """Take over the weights of `base` that fit by name and shape; returns what was and was not taken.

    Raises UserError when none fits.
    """
    own, offered = model.state_dict(), _for_both_sides(base)
    fitting = {
        name: offered[name] for name in own if name in offered and offered[name].shape == own[name].shape
    }
    other = describe(ModelSpec.from_json(base.state["spec"]))
    # A few output biases fit any model; they are no start.
    if all(tensor.dim() == 1 for tensor in fitting.values()):
        raise UserError(
            f"no weight of the base {base.path.name} fits this model",
            f"the base is {other}, the model {describe(model.spec)}",
            "leave the architecture and sizes out to have the base's own, or name another --base",
        )
    model.load_state_dict(fitting, strict=False)
    if len(fitting) == len(own):
        return (f"starting from the base {base.path.name}",)
    missing = sorted({".".join(name.split(".")[:2]) for name in own if name not in fitting})
    return (
        f"starting from the base {base.path.name} ({other}): {len(fitting)} of {len(own)} tensors fit",
        f"from random weights: {', '.join(missing)}",
    )


def describe(spec: ModelSpec) -> str:
    """`LIAE-UD 128 px, dims 256/64/64/22`; of AMP, `256/1024/64/64/22, morph factor 0.5`."""
    widths = (spec.ae_dims, spec.inter_dims, spec.encoder_dims, spec.decoder_dims, spec.mask_dims)
    dims = "/".join(str(value) for value in widths if value is not None)
    morph = "" if spec.morph_factor is None else f", morph factor {spec.morph_factor:g}"
    return f"{spec.arch} {spec.resolution} px, dims {dims}{morph}"
