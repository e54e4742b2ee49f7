import numpy as np
import pytest

from faceswap.io.light import linear_table
from faceswap.media.probe.color import _TRANSFER


@pytest.mark.parametrize(
    ("transfer", "signal", "light"),
    [
        # BT.709: L = 0.018 is V = 0.081. BT.2100: 100 cd/m² is 0.508 in PQ, 1/12 is 0.5 in HLG.
        ("bt709", 0.081, 0.018),
        ("iec61966-2-1", 0.5, 0.21404),
        ("smpte2084", 0.50808, 1.0),
        ("arib-std-b67", 0.5, 1 / 12),
        ("bt470m", 0.5, 0.5**2.2),
        ("log100", 0.5, 0.1),
        ("log316", 0.2, 0.01),
        ("smpte428", 0.5, 52.37 / 48 * 0.5**2.6),
        ("linear", 0.25, 0.25),
    ],
)
def test_curves_pass_through_the_points_of_their_standards(transfer, signal, light):
    assert linear_table(transfer)[round(signal * 65535)] == pytest.approx(light, rel=2e-3)


@pytest.mark.parametrize("transfer", sorted(set(_TRANSFER.values())))
def test_every_curve_that_a_clip_may_name_is_there_rises_and_ends_in_white(transfer):
    table = linear_table(transfer)
    assert table[0] == pytest.approx(0, abs=1e-6) and (np.diff(table) >= -1e-7).all()
    white = {"smpte2084": 100, "smpte428": 52.37 / 48}.get(transfer, 1)
    assert table[-1] == pytest.approx(white, rel=1e-4)
