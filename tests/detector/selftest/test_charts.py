"""Lines of a chart."""

import numpy as np
import pytest

from faceswap.detector.selftest.charts import Chart


def test_a_line_breaks_where_nothing_is_known_and_a_lone_point_is_a_dot() -> None:
    drawn = Chart((0, 4), (0, 1), "").line(range(5), [0.1, 0.2, np.nan, 0.4, np.nan], "fake").svg()
    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn


def test_a_long_line_is_thinned_to_its_means() -> None:
    drawn = Chart((0, 1), (0, 1), "").line(np.linspace(0, 1, 9000), np.tile([0.0, 1.0], 4500), "fake").svg()
    points = drawn.split('points="')[1].split('"')[0].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) <= 450
    # Chart of 220 px with 14 above and 30 below: one half lies in the middle.
    assert heights == pytest.approx([14 + (220 - 44) / 2] * len(points), abs=0.1)
