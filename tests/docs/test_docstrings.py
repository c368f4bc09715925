"""Docstrings in Markdown's manner become reStructuredText."""

import pytest


@pytest.fixture(scope="module")
def convert(load_program):
    return load_program("docs/site/docstrings.py").as_restructured


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("See `VAE` and `a.b`.", "See `VAE` and `a.b`."),
        ("`[n, *event]` of it", "``[n, *event]`` of it"),
        ("`{name:\n    nats}` here", "``{name: nats}`` here"),
        ("All `Term`s", "All `Term`\\ s"),
        ("|x| and p(x|z), `a|b`", "\\|x\\| and p(x\\|z), ``a|b``"),
        ("``kept`` as it is", "``kept`` as it is"),
    ],
)
def test_codes_and_bars(convert, written, expected):
    assert convert(written) == expected


def test_a_table_becomes_a_list_table_with_its_head_and_bars_in_code_stay(convert):
    written = "Before:\n\n| a | b |\n|---|---|\n| `p(x|z)` | |\n| 2 | 3 |\n"
    assert convert(written) == (
        "Before:\n\n.. list-table::\n   :header-rows: 1\n\n"
        "   * - a\n     - b\n   * - ``p(x|z)``\n     - \n   * - 2\n     - 3\n\n"
    )


def test_fenced_code_is_code_in_which_nothing_is_changed(convert):
    written = "So:\n\n  ```python\n  a | `b`\n  ```\n\nThen `c`."
    assert convert(written) == ("So:\n\n  .. code-block:: python\n\n      a | `b`\n\n\nThen `c`.")
