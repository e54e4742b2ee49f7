"""The shortcut probes on a set as training sees it: manipulation by manipulation, under the tail."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceswap.console import progress
from faceswap.detector.evaluation import EXAM_STRENGTH
from faceswap.detector.probes import LIMIT, Crop, match_sharpness, run_probes
from faceswap.detector.samples import DrawnPair, Pairs

# An autoencoder's fakes are soft, which every probe of detail sees and which is no leak (detector-facts §6).
_SOFT = "ae"
_PAIRS_A_BATCH = 32


@dataclass(frozen=True, eq=False)
class Matched(Pairs):
    """Pairs whose reals are, before the tail, as soft under the mask as their fakes: blur tells nothing."""

    pairs: Pairs

    @property
    def manipulations(self) -> Sequence[str]:  # type: ignore[override]
        return self.pairs.manipulations

    @property
    def out_px(self) -> int:  # type: ignore[override]
        return self.pairs.out_px

    @property
    def null_share(self) -> float:  # type: ignore[override]
        return self.pairs.null_share

    def pair(self, rng: np.random.Generator) -> DrawnPair:
        drawn = self.pairs.pair(rng)
        soft = match_sharpness(drawn.real.picture, drawn.fake, drawn.mask)
        return drawn._replace(real=drawn.real._replace(picture=soft))

    def only(self, kind: str) -> "Matched":
        return Matched(self.pairs.only(kind))


def probe_pairs(source: Pairs, pairs: int, seed: int) -> dict[str, dict[str, float]]:
    """The AUC of every probe by manipulation, on `pairs` pairs of each; an autoencoder's are matched."""
    found = {}
    for number, kind in enumerate(progress(source.manipulations, "probes", "manipulations")):
        one_kind = source.only(kind)
        if kind.partition("-")[0] == _SOFT:
            one_kind = Matched(one_kind)
        crops: list[Crop] = []
        people: list[str] = []
        for start in range(0, pairs, _PAIRS_A_BATCH):
            count = min(_PAIRS_A_BATCH, pairs - start)
            batch = one_kind.batch(count, seed + 1_000_003 * number, start, EXAM_STRENGTH)
            crops += list(batch.crops)
            people += batch.people
        found[kind] = run_probes(crops, np.tile([0, 1], pairs), people, np.random.default_rng(seed))
    return found


def leaking(found: dict[str, dict[str, float]]) -> list[str]:
    """A line for each probe that tells reals from fakes better than LIMIT."""
    return [
        f"{kind}: {probe} {auc:.3f}"
        for kind, probes in found.items()
        for probe, auc in probes.items()
        if auc > LIMIT
    ]
