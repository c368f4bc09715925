"""`python -m keras_vae` prints the trained models that ship with the package.

`python -m keras_vae explore MODEL` writes one as an HTML file, and opens it in a browser: drag a
latent, and the picture follows.
"""

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from keras_vae import presets


def main(words: list[str] | None = None):
    """Does what the command line says, or says in one line what is wrong with it."""
    parser = _parser()
    options = parser.parse_args(words)
    if options.command is None:
        print_models()
        return
    try:
        _explore(options)
    except FileExistsError as error:
        parser.exit(2, f"{parser.prog}: error: {error.filename} is there. Pass --overwrite.\n")
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def print_models():
    """Prints one line for each preset, and how to load one."""
    descriptions = presets.descriptions()
    width = max(map(len, descriptions), default=0)
    for name, description in descriptions.items():
        print(f"{name:{width}}  {description}")
    print(
        "\nLoad one with keras_vae.VAE.from_preset(NAME), the VQ-VAE with "
        "keras_vae.quantized.VQVAE.from_preset(NAME); look into a VAE with "
        "`python -m keras_vae explore NAME`."
        if descriptions
        else "No trained models are installed."
    )


def _explore(options):
    from keras_vae.explorer import preset_page

    path = options.output or Path(f"{Path(options.model).stem}.html")
    path = preset_page.write(options.model, path, options.overwrite)
    print(f"Wrote {path}, {path.stat().st_size / 1e6:.1f} MB.")
    if not options.no_open and not webbrowser.open(path.resolve().as_uri()):
        print("There is no browser to open it here.")


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_vae",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    explore = parser.add_subparsers(dest="command").add_parser(
        "explore", help="write a model as an HTML file, and open it"
    )
    add = explore.add_argument
    add("model", help="a preset's name, folder or address, or a .keras file")
    add("--output", type=Path, help="the file (MODEL.html, in this folder)")
    add("--overwrite", action="store_true", help="replace a file that is there")
    add("--no-open", action="store_true", help="only write it")
    return parser


if __name__ == "__main__":
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # Who reads has read enough, as `head` has. Python flushes once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
