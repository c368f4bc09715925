"""Tests of the picture of the throughput: every rival by a name that a stranger understands."""

import matplotlib.figure
import pytest


@pytest.fixture
def throughput(load_program):
    return load_program("benchmarks/throughput.py")


def test_every_rival_has_a_name_in_words(throughput):
    assert set(throughput.NAMES) == set(throughput.rivals.RIVALS)
    assert not any(
        "_"
        in name.replace("keras_vae", "")
        .replace("train_step", "")
        .replace("steps_per_execution", "")
        for name in throughput.NAMES.values()
    )


def test_the_picture_is_drawn_from_the_rows_of_the_table(throughput, tmp_path, monkeypatch):
    figures = []
    save = matplotlib.figure.Figure.savefig

    def savefig(figure, path, **options):
        figures.append(figure)
        save(figure, path, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", savefig)
    # As a CSV file gives them back.
    rows = [
        {"rival": "ours", "steps_per_second": "700", "least": "600", "most": "900"},
        {"rival": "eager", "steps_per_second": "19", "least": "14", "most": "21"},
    ]
    throughput.draw(tmp_path / "throughput.png", rows)
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "eager TensorFlow, by hand",
        "keras_vae, steps_per_execution=64",
    ]
    assert [bar.get_width() for bar in axes.patches] == [19, 700]
    assert [list(line.get_xdata()) for line in axes.lines] == [[14, 21], [600, 900]]
