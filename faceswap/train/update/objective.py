"""What a model is trained for: the terms of its loss, by name (deepfacelab.md §8.4, §10.3)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from faceswap.augment.warp import Augmented
from faceswap.models.swap import Decoded
from faceswap.train.options import StepOptions
from faceswap.train.update.critics import Critic
from faceswap.train.update.losses import reconstruction_terms, widen_mask
from faceswap.train.update.networks import Pass
from faceswap.train.update.regimes import Regime
from faceswap.train.update.styles import (
    background_style_loss,
    eyes_mouth_loss,
    face_style_loss,
    smooth_background_loss,
)
from faceswap.types import Side

Faces = Mapping[Side, Augmented]


class Objective:
    """Collects the terms of a batch's loss, each () the mean over its faces.

    sides: what makes up the loss of src and of dst. extra: the optional terms by name; those that belong to
    a side are in its sum as well. Pictures of src and dst must be of the same number.
    """

    def __init__(
        self, options: StepOptions, regime: Regime, critics: Mapping[str, Critic], made: Pass, faces: Faces
    ) -> None:
        self._options, self._regime, self._critics = options, regime, critics
        self._made, self._faces = made, faces
        reconstruction = made.made
        self._drawn = {
            Side.SRC: Decoded(reconstruction.src_src, reconstruction.src_mask),
            Side.DST: Decoded(reconstruction.dst_dst, reconstruction.dst_mask),
        }
        self.extra: dict[str, Tensor] = {}
        self.sides = {side: self._compare(side) for side in Side}
        self._add_styles()

    def total(self) -> Tensor:
        """() what the model is to lower: both sides, and what the critics think of it."""
        return torch.stack([*self.sides.values(), *self._of_critics()]).sum()

    def judged(self) -> Tensor:
        """The reconstructions that the critic of faces sees, (N, 3, R, R); masked in masked training."""
        return torch.cat([self._seen(self._drawn[side].face, side) for side in self._regime.judged])

    def real(self) -> Tensor:
        """What they should be, (N, 3, R, R)."""
        return torch.cat([self._seen(self._faces[side].target, side) for side in self._regime.judged])

    def _seen(self, picture: Tensor, side: Side) -> Tensor:
        return picture * widen_mask(self._faces[side].mask) if self._options.masked_training else picture

    def _compare(self, side: Side) -> Tensor:
        options, regime, wanted, drawn = self._options, self._regime, self._faces[side], self._drawn[side]
        compared = (*drawn, wanted.target, wanted.mask)
        loss = reconstruction_terms(*compared, options.masked_training, regime.region, regime.windows).total()
        if wanted.eyes_mouth is not None:
            term = eyes_mouth_loss(drawn.face, wanted.target, wanted.eyes_mouth)
            self.extra[f"eyes_mouth_{side}"] = term.mean()
            loss = loss + term
        if side is Side.DST and regime.beyond is not None:
            loss = loss + regime.beyond(drawn.face, wanted.target, wanted.mask)
        return loss.mean()

    def _add_styles(self) -> None:
        """Styles count to src's side: they are how its decoder draws dst's codes."""
        options, made, dst = self._options, self._made, self._drawn[Side.DST]
        if made.stopped is not None:
            swap = made.stopped
            term = face_style_loss(swap.face, swap.mask, dst.face, dst.mask, options.face_style_power)
            self.extra["face_style"] = term.mean()
        if made.swap is not None:
            swap, target = made.swap, self._faces[Side.DST].target
            term = background_style_loss(swap.face, swap.mask, dst.mask, target, options.bg_style_power)
            self.extra["bg_style"] = term.mean()
        for name in self.extra.keys() & {"face_style", "bg_style"}:
            self.sides[Side.SRC] = self.sides[Side.SRC] + self.extra[name]

    def _of_critics(self) -> list[Tensor]:
        options, src = self._options, self._faces[Side.SRC]
        terms = {}
        if "true_face" in self._critics:
            doubt = self._critics["true_face"].doubt(self._made.codes.src)
            terms["true_face"] = options.true_face_power * doubt
        if "gan" in self._critics:
            # The mean over the sides it sees, times their number: DeepFaceLab sums over them.
            doubt = len(self._regime.judged) * self._critics["gan"].doubt(self.judged())
            terms["gan"] = options.gan_power * doubt
            if options.masked_training:
                face = self._drawn[Side.SRC].face
                terms["smooth_background"] = smooth_background_loss(face, src.target, src.mask).mean()
        self.extra |= terms
        return list(terms.values())
