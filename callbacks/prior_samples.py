"""What a model makes of the same draws from its prior, while it trains."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from keras_vae import arguments, visualize
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import PictureCallback
from keras_vae.drawn_inputs import checked_events
from keras_vae.model_functions import ModelFunctions, undisturbed


class PriorSamples(PictureCallback):
    """Decodes draws of the model's prior at every chosen epoch or step, with the same noise.

    Which codes are drawn, the first of these that applies:

    - with `sampler`, what it draws;
    - for a model with a method `prior_distribution`, as every `keras_vae.VAE` has it, draws of that
      prior as it is at that step. Where it is N(0, I) codes are the same in every picture. One that
      is learned, such as a VampPrior or a mixture, moves its codes while it trains;
    - for a VQ-VAE draws of its `code_prior`; for a `CodePrior` that trains its own, for which
      `decode=vqvae.decode_codes`;
    - for any other model, of which only a decoder is known, draws of N(0, I).

    The noise is a function of `seed` alone, which neither the model nor anything else draws from,
    so pictures compare from epoch to epoch, and where the prior is N(0, I) between models of as
    many latents. Written to `FOLDER/prior_samples/epoch_0001.png` and so on, as close to a square
    as `num_images` allows, row by row. Series are drawn as lines and rows of a table as bars,
    between the least and the greatest value of the picture, which its title tells.

    Args:
        folder: Folder of the run.
        num_images: Int. How many codes. Defaults to `64`.
        seed: Int. Seed of the codes' noise, and of the sampler's fit. Defaults to `0`.
        latent_dim: Int. Number of latents, for a model that tells neither it nor a prior: codes are
            then draws of N(0, I). Defaults to `None`.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        decode: Function from codes `[n, latent]` to images, for a model that does not tell how.
            Defaults to `None`: see `keras_vae.model_functions`.
        sampler: What draws the codes in place of the prior: anything with `sample(n, seed)`, such
            as one of `keras_vae.samplers`. Defaults to `None`.
        images: Images `[n, *event]`, training images, to whose codes the sampler is fitted anew
            for every picture, by `sampler.fit(codes_of(model, images), seed)`: the picture is then
            what the model of that step would generate, and takes the time that fitting takes.
            Defaults to `None`: the sampler draws as it was fitted before training.
        encode: Function from images to their codes, for `images` and a model that does not tell
            how. Defaults to `None`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if no decoder is found,
            a VQ-VAE has no prior over its codes, or the sampler cannot be fitted or was not.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> model.fit(images, callbacks=[keras_vae.callbacks.PriorSamples("runs/mnist")])
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        num_images: int = 64,
        seed: int = 0,
        latent_dim: int | None = None,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        decode: Callable | None = None,
        *,
        sampler=None,
        images=None,
        encode: Callable | None = None,
    ):
        super().__init__(
            folder, "prior_samples", frequency, tensorboard, decode=decode, encode=encode
        )
        self.num_images = arguments.count("num_images", num_images)
        self.seed = arguments.seed("seed", seed)
        self.latent_dim = None if latent_dim is None else arguments.count("latent_dim", latent_dim)
        if sampler is not None:
            arguments.sampler(sampler)
        if images is not None and not callable(getattr(sampler, "fit", None)):
            raise ValueError(
                "`images` are what a sampler is fitted to. Pass a `sampler` with a method "
                "`fit(codes, seed)`, such as one of keras_vae.samplers. "
                f"Received: sampler={sampler!r}"
            )
        self.sampler = sampler
        self.images = None if images is None else checked_events(images)
        self.encode = encode
        self.codes: Any = None

    def prepare(self, functions: ModelFunctions):
        """Draws codes, and decodes one of them."""
        functions.decode(self._drawn(functions)[:1])

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """The decoded codes in rows."""
        self.codes = self._drawn(functions)
        return {self.name: visualize.in_a_square(functions.decode(self.codes))}

    def _drawn(self, functions) -> np.ndarray:
        """Codes of the sampler, or of the prior."""
        with undisturbed(self.model):
            if self.sampler is None:
                return visualize.prior_codes(functions, self.num_images, self.seed, self.latent_dim)
            if self.images is not None:
                # Imported late: it brings the models with it, which other callbacks do without.
                from keras_vae.samplers import codes_of

                codes = codes_of(self.model, self.images, seed=self.seed, encode=self.encode)
                self.sampler.fit(codes, seed=self.seed)
            return visualize.sampler_codes(self.sampler, self.num_images, self.seed)
