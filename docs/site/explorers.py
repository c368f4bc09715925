"""Explorers of trained models, which run in the page that lists the models."""

import re
from pathlib import Path

PAGE = "saved_models/README"
# Beside the pages of the repository.
FOLDER = "explorers"
# One of each kind, and the smallest of it: a page of theirs is read in a second.
MODELS = ("mnist_beta_tc", "mnist_map", "mnist_mlp", "sprites_beta_tc")
FRAME = """
```{{raw}} html
<iframe class="explorer" src="../{folder}/{name}.html" loading="lazy"
  title="The explorer of {name}"></iframe>
<p><a href="../{folder}/{name}.html">The explorer of {name} in a page of its own</a></p>
```
"""


def embed(app, docname, source):
    """Sets each explorer below the picture of its model."""
    if docname != PAGE:
        return
    for name in MODELS:
        picture = re.compile(rf"^!\[.*\]\(images/{name}\.png\)$", re.M)
        frame = FRAME.format(folder=FOLDER, name=name)
        source[0], found = picture.subn(lambda match, frame=frame: match[0] + frame, source[0])
        if found != 1:
            raise ValueError(f"{PAGE} shows {found} pictures of {name}. Expected: one.")


def write(app, exception):
    """Makes the explorers from the models alone, because MNIST is not at hand everywhere."""
    if exception or app.builder.name != "html":
        return
    from keras_vae import explorer, presets

    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for name in MODELS:
        path = folder / f"{name}.html"
        explorer.explore(presets.load(name), path, card=presets.card(name), overwrite=True)


def setup(app):
    """Writes them when all else is there."""
    app.connect("source-read", embed)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
