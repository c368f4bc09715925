"""Measures the explorer's pages of all shipped models in a headless Chromium without a network.

For each: the size of its file; the time from asking for the file until the page can be used, the
median of five; frames a second while a slider is dragged for two seconds, with the sliders in sight
and with the traversals in sight (60 is as fast as this browser draws); the time of one decoding and
one encoding; and how far pixels and means are from those of Keras, at most, for 100 codes and 100
images: half of the codes are draws of the prior, half those of the images, which are decoded draws.
"""

import argparse
import os
import runpy
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae import presets

import numpy as np

BROWSER = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "headless_browser.py"))
HEAD = """| model | MB | opens in, s | frames/s, dragging | with traversals | decode, ms \
| encode, ms | pixels off, /255 | means off |
|---|---|---|---|---|---|---|---|---|"""
# Drags the first slider to and fro; a frame counts if the picture is another than the one before.
DRAG = """
const [target, seconds, done] = arguments;
document.querySelector(target).scrollIntoView();
const input = document.querySelector("#sliders input");
const [low, high] = [Number(input.min), Number(input.max)];
let frames = 0, picture = null, begin = null;
const step = (now) => {
  begin ??= now;
  const share = 0.5 - 0.5 * Math.cos(3 * (now - begin) / 1000);
  input.value = low + share * (high - low);
  input.dispatchEvent(new Event("input"));
  if (explorer.picture() !== picture) frames += 1;
  picture = explorer.picture();
  if (now - begin < 1000 * seconds) requestAnimationFrame(step);
  else done(1000 * frames / (now - begin));
};
setTimeout(() => requestAnimationFrame(step), 500);
"""
TIME = """
const { model, state, pad } = explorer;
const time = (work) => {
  work();
  const begin = performance.now();
  for (let i = 0; i < 50; i++) work();
  return (performance.now() - begin) / 50;
};
return [time(() => model.decode(state.code)), time(() => model.encode(pad.values))];
"""
DECODE = """
const [codes] = arguments;
return codes.map((code) => Array.from(explorer.model.decode(Float32Array.from(code))));
"""
ENCODE = """
const [images] = arguments;
return images.map((image) => Array.from(explorer.model.encode(Float32Array.from(image)).loc));
"""


def row(driver, name: str, folder: Path) -> str:
    """One model's line of the table."""
    vae = presets.load(name)
    images = vae.sample(100, seed=1).numpy()
    path = vae.explore(folder / f"{name}.html", images, np.arange(100) % 10)
    opening = [BROWSER["open_page"](driver, path) for _ in range(5)]
    dragging = driver.execute_async_script(DRAG, "header", 2)
    busy = driver.execute_async_script(DRAG, "#every", 2)
    decode, encode = driver.execute_script(TIME)
    codes = np.concatenate([vae.prior_distribution().sample(50, seed=7), vae.embed(images[:50])])
    pixels = driver.execute_script(DECODE, codes.tolist())
    off = np.abs(pixels - vae.decode(codes).mean().numpy().reshape(100, -1)).max()
    others = vae.sample(100, seed=2).numpy()
    means = driver.execute_script(ENCODE, others.reshape(100, -1).tolist())
    means_off = np.abs(means - vae.embed(others).numpy()).max()
    cells = [
        f"`{name}`",
        f"{path.stat().st_size / 1e6:.2f}",
        f"{statistics.median(opening):.2f}",
        f"{dragging:.0f}",
        f"{busy:.0f}",
        f"{decode:.2f}",
        f"{encode:.2f}",
        f"{255 * off:.2f}",
        f"{means_off:.5f}",
    ]
    return f"| {' | '.join(cells)} |"


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="presets (all VAEs)")
    names = parser.parse_args().names or presets.names(keras_vae.VAE)
    driver = BROWSER["chromium"]()
    print(HEAD)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                print(row(driver, name, Path(folder)), flush=True)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
