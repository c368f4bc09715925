"""Makes the explorer's pages of all shipped VAEs, and the pictures of one for the docs.

Each preset becomes `FOLDER/NAME.html`, with dots of the images that its card names where those are
at hand; `FOLDER/index.html` lists them. With `--pictures` a headless Chromium photographs pages
into `docs/explorer/`: at desktop and at phone size, in light and in dark.
"""

import argparse
import html
import io
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import headless_browser
import keras_vae
from keras_vae import presets
from keras_vae.explorer import preset_page
from keras_vae.files import write_whole

from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "explorer"
DESKTOP, PHONE = (1280, 800, 1), (390, 844, 2)
# File, model, size, scheme, whether the whole page, what is done there first.
SHOTS = (
    ("desktop", "mnist_mlp", DESKTOP, "light", False, ""),
    ("desktop_dark", "mnist_map", DESKTOP, "dark", False, ""),
    ("whole", "mnist_conv", DESKTOP, "light", True, ""),
    ("phone", "mnist_mlp", PHONE, "light", False, ""),
    ("phone_dark", "mnist_map", PHONE, "dark", False, ""),
    ("card", "mnist_mlp", DESKTOP, "light", False, "document.querySelector('#open-card').click()"),
)
INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Trained models of keras_vae</title>
<style>
body {{ max-width: 640px; margin: 40px auto; padding: 0 16px; font: 16px/1.6 system-ui }}
</style>
<h1>Trained models</h1>
<ul>
{items}</ul>
</html>
"""


def make_pages(folder: Path) -> list[Path]:
    """Writes a page of each preset, and the list of them."""
    items, paths = "", []
    descriptions = presets.descriptions()
    # A page is for dragging latents, of which a VQ-VAE has none.
    for name in presets.names(keras_vae.VAE):
        paths.append(preset_page.write(name, folder / f"{name}.html", overwrite=True))
        print(f"{paths[-1]}: {paths[-1].stat().st_size / 1e6:.2f} MB", flush=True)
        items += f'<li><a href="{name}.html">{name}</a>: {html.escape(descriptions[name])}</li>\n'
    write_whole(folder / "index.html", INDEX.format(items=items))
    return paths


def photograph(driver, path: Path, size: tuple, scheme: str, whole: bool, action: str) -> bytes:
    """A page as a PNG.

    Args:
        driver: A Chromium.
        path: The page.
        size: `(width, height, device pixels a pixel)`.
        scheme: `"light"` or `"dark"`.
        whole: Bool. Whether down to its end, not what the screen shows alone.
        action: A script that runs first.
    """
    width, height, density = size

    def resize(height):
        metrics = {"width": width, "height": height, "mobile": width < 600}
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "deviceScaleFactor": density}
        )
        # Small pictures are drawn as there is time.
        time.sleep(2)

    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    headless_browser.open_page(driver, path)
    driver.execute_script(action)
    resize(height)
    if whole:
        resize(driver.execute_script("return document.documentElement.scrollHeight"))
    return _smaller(driver.get_screenshot_as_png())


def _smaller(png):
    """The same picture, packed as tightly as can be."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main():
    """Writes the pages, and their pictures if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/explorer"), help="of the pages (%(default)s)"
    )
    parser.add_argument("--pictures", action="store_true", help="photograph them, too")
    arguments = parser.parse_args()
    make_pages(arguments.folder)
    if not arguments.pictures:
        return
    driver = headless_browser.chromium()
    try:
        for file, model, *look in SHOTS:
            picture = photograph(driver, arguments.folder / f"{model}.html", *look)
            write_whole(PICTURES / f"{file}.png", picture)
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
