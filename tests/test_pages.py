"""Tests that the pages tell of what there is: tables, links, commands."""

import inspect
import re
from pathlib import Path

import pytest

import keras_vae
from keras_vae import callbacks, objectives

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "callbacks", "docs", "examples", "keras_vae", "saved_models", "tools")
PAGES = [
    *ROOT.glob("*.md"),
    *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md")),
]
# Whatever may print a command: programs, cards of models, notebooks.
TEXTS = [
    *PAGES,
    *(
        path
        for name in (*FOLDERS, "tests")
        for kind in ("py", "json", "ipynb", "toml")
        for path in (ROOT / name).rglob(f"*.{kind}")
    ),
]
each_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES]
)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def section(page, heading):
    """What stands below a heading, up to the next of its kind."""
    (text,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", read(page), re.M | re.S)
    return text


def rows(text):
    """The rows of the tables in a text, without their heads, as lists of cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = [i for i, line in enumerate(lines) if re.fullmatch(r"[|: -]+", line) and "-" in line]
    heads = {i for rule in rules for i in (rule - 1, rule)}
    # A bar that belongs to a formula is escaped.
    split = re.compile(r"(?<!\\)\|")
    return [
        [cell.strip() for cell in split.split(line)[1:-1]]
        for i, line in enumerate(lines)
        if i not in heads
    ]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize("heading", ["The losses side by side", "What they log and what to set"])
def test_each_table_of_losses_has_every_objective_once(heading):
    first = [quoted(row[0])[0] for row in rows(section("docs/objectives.md", heading))]
    assert sorted(first) == sorted(objectives.__all__)


def parameters(cls):
    return {
        name
        for base in cls.__mro__
        if base.__module__.startswith("keras_vae")
        for name in inspect.signature(base.__init__).parameters
    }


def test_the_weights_that_the_table_names_are_arguments_of_their_class():
    found = 0
    for name, terms, _ in rows(section("docs/objectives.md", "What they log and what to set")):
        cls = getattr(objectives, quoted(name)[0])
        for weight in re.findall(r"\u00d7 `(\w+)`", terms):
            assert weight in parameters(cls), f"{cls.__name__}: {weight}"
            found += 1
    assert found >= len(objectives.__all__)


def test_what_the_page_advises_to_use_exists():
    table = rows(section("docs/objectives.md", "Which one"))
    assert len(table) > 5
    for _, use, _ in table:
        for name in re.findall(r"`([A-Z]\w+)`", use):
            assert name == "VAE" or name in objectives.__all__


def test_what_is_an_argument_is_one_of_the_model():
    text = section("docs/objectives.md", "What is an argument and no class")
    named = {re.match(r"\w+", quoted(row[0])[0])[0] for row in rows(text)}
    assert {"free_bits", "likelihood", "posterior", "prior", "beta"} <= named
    assert named <= parameters(keras_vae.VAE)


def test_each_callback_has_its_heading_and_no_other():
    headings = re.findall(r"^## (.+)$", read("docs/callbacks.md"), re.M)
    headings.remove("With Keras's own callbacks")
    named = [name for heading in headings for name in re.split(r", | and ", heading)]
    assert sorted(named) == sorted(callbacks.__all__)


def test_the_readme_lists_every_callback_once():
    table = rows(section("README.md", "Callbacks, for this model or your own"))
    named = [name for row in table for name in quoted(row[0])]
    assert sorted(named) == sorted(callbacks.__all__)


def test_the_readme_lists_every_objective_once():
    text = section("README.md", "The family")
    (listed,) = re.findall(r"^(`Autoencoder`.*?) take the same", text, re.M | re.S)
    assert sorted(quoted(listed)) == sorted(objectives.__all__)


def test_every_room_is_told_of_and_there_is_no_other():
    named = [
        name
        for row in rows(section("CONTRIBUTING.md", "Where things are"))
        for name in quoted(row[0])
    ]
    assert len(set(named)) == len(named)
    for name in named:
        assert (ROOT / name).is_dir() if name.endswith("/") else (ROOT / name).is_file(), name
    package = ROOT / "keras_vae"
    modules = [path for path in package.glob("*.py") if not path.stem.startswith("__")]
    rooms = [path.parent for path in package.glob("*/__init__.py") if not path.parent.is_symlink()]
    top = [path for path in ROOT.iterdir() if path.is_dir() and tracked(path)]
    expected = {f"keras_vae/{path.name}" for path in modules}
    expected |= {f"keras_vae/{path.name}/" for path in rooms}
    expected |= {f"{path.name}/" for path in top if path != package}
    assert expected <= set(named)


def tracked(folder):
    """Whether a folder is one of the repository's, not left by a run or a build."""
    ignored = read(".gitignore").split()
    return not folder.name.startswith(".") and not any(
        folder.match(pattern.rstrip("/")) for pattern in ignored
    )


@each_page
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(page):
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@each_page
def test_every_file_that_a_page_names_is_there(page):
    folders = "|".join((*FOLDERS, "tests"))
    for name in quoted(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)):
        if re.fullmatch(rf"({folders})/[\w./]+\.\w+", name):
            assert (ROOT / name).is_file(), name


def test_every_command_that_is_printed_runs_a_program_that_knows_its_options():
    found = {}
    for path in TEXTS:
        # A command goes on in the next line after a backslash.
        text = re.sub(r"\s*\\\n\s*", " ", path.read_text(encoding="utf-8"))
        for program, rest in re.findall(r"python ([a-z_]+/\w+\.py)([^`\n]*)", text):
            found.setdefault(program, set()).update(
                (option, path) for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest)
            )
    assert {"examples/mnist.py", "tools/train_zoo.py", "benchmarks/throughput.py"} <= found.keys()
    for program, options in found.items():
        assert (ROOT / program).is_file(), program
        source = read(program)
        # Options may be those of a neighbour that it imports.
        for module in re.findall(r"^import (\w+)$", source, re.M):
            neighbour = Path(program).with_name(f"{module}.py")
            source += read(neighbour) if (ROOT / neighbour).is_file() else ""
        for option, path in sorted(options):
            # A program may make its options of the names of its parameters.
            name = option.removeprefix("--").replace("-", "_")
            known = f'"{option}"' in source or f'"{name}":' in source
            assert known, f"{path}: {program} {option}"


def test_the_speeds_that_the_readme_quotes_are_those_of_the_table():
    table = rows(section("docs/performance.md", "Beside other ways to write it"))
    speed = {row[0]: float(row[1]) for row in table}
    (torch,) = (speed[name] for name in speed if name.startswith("PyTorch"))
    (eager,) = (speed[name] for name in speed if "eager" in name)
    plain = speed["`keras_vae`, `fit`, no argument for speed"]
    text = " ".join(read("README.md").split())
    assert f"{plain / torch:.1f} times as fast as PyTorch by hand" in text
    assert f"{plain / eager:.0f} times as fast as eager TensorFlow" in text
    # The program at whose sizes that was measured trains as a user would write it.
    assert "steps_per_execution" not in read("examples/mnist.py")


def test_the_caption_of_the_betas_gives_them_in_both_forms():
    caption = " ".join(section("README.md", "What beta and the latent size change").split())
    assert '`reduction="mean"`; beta 1 there is 78.4 of the sum form' in caption
    assert f"the plain bound {10 / 784:.4f})" in caption


def test_the_readme_asks_early_stopping_for_the_highest_bound():
    (call,) = re.findall(r"`EarlyStopping\((.*?)\)`", read("README.md"))
    assert call == '"val_elbo", mode="max"'


def test_the_readme_names_the_backend_and_opens_the_notebook_and_other_examples_by_link():
    text = " ".join(read("README.md").split())
    assert "Keras on its TensorFlow backend, the only one" in text
    assert "jupyter lab examples/beta_vae_mnist.ipynb" in text
    assert "[an example to copy](https://keras.io/examples/generative/vae/)" in text
