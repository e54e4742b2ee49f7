"""What the detector is trained on: the label, where the forgery is, and masked reconstruction (SSAT).

SSAT: Das et al., "Limited Data, Unlimited Potential: A Study on ViTs Augmented by Masked Autoencoders"
(WACV 2024). L = λ · (classification + μ · patches) + (1 − λ) · reconstruction; the patch term is ours.
All arithmetic is float32.

One encoder, two passes: the classifier reads all patches, the decoder must fill in the hidden three
quarters from the rest (He et al. 2022; Das et al. 2024). The decoder is never shipped.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import ViTConfig
from transformers.models.vit.modeling_vit import ViTLayer

from faceswap.detector.network.model import Shipped

# From this share of foreign pixels on a patch counts as forged (detection.md §4.3).
PATCH_SHARE = 0.15


class Terms(NamedTuple):
    """Mean terms of one batch, unweighted scalars; zero where an arm leaves one out."""

    label: Tensor
    patches: Tensor
    reconstruction: Tensor

    def total(self, judging: float, rebuilding: float, patch_weight: float) -> Tensor:
        """judging · (label + μ · patches) + rebuilding · reconstruction; SSAT's are λ and 1 − λ."""
        return judging * (self.label + patch_weight * self.patches) + rebuilding * self.reconstruction


def label_loss(logits: Tensor, labels: Tensor, real_weight: float | None = None) -> Tensor:
    """Cross-entropy of (B, 2) logits against (B,) labels 0 real, 1 fake.

    real_weight: SSAT's equation 3, −(w·t_real·log p_real + (1 − w)·t_fake·log p_fake), as a mean over the
    batch. w is the weight of the real class, so w = the share of fakes balances (the paper's sentence above
    the equation says the opposite). None gives the plain mean, which is twice the mean at w = ½.
    """
    losses = F.cross_entropy(logits.float(), labels, reduction="none")
    if real_weight is not None:
        losses = losses * torch.where(labels == 0, real_weight, 1 - real_weight)
    return losses.mean()


def patch_targets(masks: Tensor, grid: int) -> Tensor:
    """Masks (B, S, S) in [0, 1] -> (B, G, G) of 0 and 1: patches of which more than 15 % are foreign."""
    shares = F.avg_pool2d(masks.float().unsqueeze(1), masks.shape[-1] // grid).squeeze(1)
    return (shares > PATCH_SHARE).float()


def patch_loss(patch_logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy of (B, G, G) logits against masks (B, S, S), all zero for reals."""
    wanted = patch_targets(masks, patch_logits.shape[-1])
    return F.binary_cross_entropy_with_logits(patch_logits.float(), wanted)


def patchify(pixels: Tensor, patch_px: int) -> Tensor:
    """(B, 3, S, S) -> (B, G², 3·p²), patches row by row."""
    return F.unfold(pixels, patch_px, stride=patch_px).transpose(1, 2)


def reconstruction_loss(made: Tensor, pixels: Tensor, hidden: Tensor, normalise: bool = False) -> Tensor:
    """Mean squared error over hidden patches only (He et al. 2022, masked autoencoders).

    made: (B, G², 3·p²). pixels: (B, 3, S, S) in [-1, 1]. hidden: (B, G²) bool. normalise: compare with each
    patch's own mean and deviation taken out, as SSAT's paper says; its code does not, which is the default.
    """
    patch_px = round((made.shape[-1] / 3) ** 0.5)
    wanted = patchify(pixels.float(), patch_px)
    if normalise:
        deviation, mean = torch.std_mean(wanted, dim=-1, keepdim=True)
        wanted = (wanted - mean) / (deviation.square() + 1e-6).sqrt()
    errors = (made.float() - wanted).square().mean(dim=-1)
    return errors[hidden].mean()


MASK_RATIO = 0.75
_DECODER_DIM, _DECODER_LAYERS, _DECODER_HEADS = 128, 2, 4


class Kept(NamedTuple):
    """Which patches the encoder sees: kept (B, K) their indices, hidden (B, G²) bool the others."""

    kept: Tensor
    hidden: Tensor


def draw_mask(generator: torch.Generator, batch: int, patches: int, ratio: float = MASK_RATIO) -> Kept:
    """Hide all but ⌊patches · (1 − ratio)⌋ patches of each picture, chosen at random. On the CPU."""
    order = torch.rand(batch, patches, generator=generator).argsort(dim=1)
    kept = order[:, : int(patches * (1 - ratio))]
    hidden = torch.ones(batch, patches, dtype=torch.bool).scatter_(1, kept, False)
    return Kept(kept, hidden)


class Decoder(nn.Module):
    """Fills in hidden patches: SSAT's 128 × 2 decoder, with 4 heads in place of 16 of size 8 (facts §1.1)."""

    positions: Tensor

    def __init__(self, detector: Shipped) -> None:
        super().__init__()
        own = ViTConfig(
            hidden_size=_DECODER_DIM,
            num_attention_heads=_DECODER_HEADS,
            intermediate_size=4 * _DECODER_DIM,
            layer_norm_eps=1e-6,
            attn_implementation="sdpa",
        )
        self.embed = nn.Linear(detector.width, _DECODER_DIM)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, _DECODER_DIM))
        self.register_buffer("positions", sin_cos_positions(detector.grid, _DECODER_DIM), persistent=False)
        self.layers = nn.ModuleList([ViTLayer(own) for _ in range(_DECODER_LAYERS)])
        self.norm = nn.LayerNorm(_DECODER_DIM, eps=own.layer_norm_eps)
        self.to_pixels = nn.Linear(_DECODER_DIM, 3 * detector.patch_px**2)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, encoded: Tensor, kept: Tensor) -> Tensor:
        """encoded (B, 1 + K, C) with its class token, kept (B, K) -> (B, G², 3·p²) patches."""
        tokens = self.embed(encoded)
        batch, _, width = tokens.shape
        patches = self.mask_token.expand(batch, self.positions.shape[1] - 1, width)
        places = kept.unsqueeze(-1).expand(-1, -1, width)
        patches = patches.to(tokens.dtype).scatter(1, places, tokens[:, 1:])
        tokens = torch.cat((tokens[:, :1], patches), dim=1) + self.positions.to(tokens.dtype)
        for layer in self.layers:
            tokens = layer(tokens)
        made: Tensor = self.to_pixels(self.norm(tokens)[:, 1:])
        return made


def reconstruct(detector: Shipped, decoder: Decoder, pixels: Tensor, kept: Tensor) -> Tensor:
    """The pictures' patches (B, G², 3·p²) as told from those in `kept` (B, K) alone."""
    made: Tensor = decoder(detector.encode_kept(pixels, kept), kept)
    return made


def sin_cos_positions(grid: int, width: int) -> Tensor:
    """(1, 1 + G², C): fixed 2-D sine-cosine positions, zero for the class token (He et al. 2022, A.1).

    A quarter of the channels each: sine and cosine of the row, sine and cosine of the column.
    """
    frequencies = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=1)
    rows, columns = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    patches = torch.cat((rows, columns), dim=-1).flatten(0, 1)
    return torch.cat((torch.zeros(1, width, dtype=torch.float64), patches)).float().unsqueeze(0)
