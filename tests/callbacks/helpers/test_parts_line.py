import math

import pytest

from keras_vae.callbacks.helpers.parts_line import parts_line

PARTS = {"width": 1.42, "price": 0.3104, "visits": 12.0, "km_h": -0.2}


def test_all_in_their_order_where_there_is_room():
    whole = "width: 1.42 - price: 0.3104 - visits: 12 - km_h: -0.2"
    assert parts_line(PARTS, len(whole)) == whole
    assert parts_line({"width": 2.0}, 80) == "width: 2"


def test_the_smallest_are_one_sum_where_there_is_not():
    assert parts_line(PARTS, 52) == "width: 1.42 - visits: 12 - 2 others: 0.1104"
    assert parts_line(PARTS, 40) == "visits: 12 - 3 others: 1.53"
    assert parts_line(PARTS, 0) == "4 others: 13.53"


@pytest.mark.parametrize("width", [40, 79, 119])
def test_a_line_of_many_fits_and_adds_up(width):
    parts = {f"column number {i}": 1000 / (1 + i) for i in range(2000)}
    parts |= {"x" * 500: 3000.0, "a\nb": -2.5}
    line = parts_line(parts, width)
    assert len(line) <= width and "\n" not in line
    values = [float(text.rpartition(": ")[2]) for text in line.split(" - ")]
    assert sum(values) == pytest.approx(sum(parts.values()), rel=1e-3)


def test_what_is_not_a_number_is_shown():
    parts = {f"column {i}": float(i) for i in range(50)} | {"broken": math.nan}
    line = parts_line(parts, 60)
    assert "broken: nan" in line and "column 49: 49" in line
