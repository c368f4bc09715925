"""What a trained VAE is asked for: reconstructions, codes, new images, an exported copy."""

import itertools
import os
import random
from collections.abc import Mapping, Sequence

import tensorflow as tf

from keras_vae import arguments, export, imputation, latent_walks
from keras_vae.over_images import OverImages


class Inference(OverImages, export.HasSignatures):
    """The methods of a VAE that use it. All are deterministic, but for the codes of `sample`."""

    def reconstruct(self, x, batch_size: int = 1024, condition=None) -> tf.Tensor:
        """Images as the model sees them: the mean of p(x|z) at the mean of q(z|x).

        Args:
            x: Images, `[n, *event]`, or what `predict` takes besides: a `tf.data.Dataset`, a
                generator or a `keras.utils.PyDataset` of batches of images, or of images and
                labels, which are the conditions of a member that takes some.
            batch_size: Int. How many images of an array pass through the networks at once. Defaults
                to `1024`.
            condition: As for `encode`, with an array. Defaults to `None`.

        Returns:
            `[n, *event]`, float32. Deterministic.

        Raises:
            ValueError: If the images are not such as `fit` takes, or the data have no end.
        """
        return self._of_images("reconstruct", self, batch_size, x, condition)

    def embed(self, x, batch_size: int = 1024, condition=None) -> tf.Tensor:
        """The means of q(z|x).

        Args:
            x: Images, `[n, *event]`, or what `predict` takes besides; see `reconstruct`.
            batch_size: Int. How many images of an array pass through the encoder at once. Defaults
                to `1024`.
            condition: As for `encode`, with an array. Defaults to `None`.

        Returns:
            `[n, latent]`, float32. Deterministic.

        Raises:
            ValueError: If the images are not such as `fit` takes, or the data have no end.
        """

        def means(*batch):
            return self.encode(*batch).mean()

        return self._of_images("embed", means, batch_size, x, condition)

    def sample(
        self,
        n: int,
        seed: int | None = None,
        batch_size: int = 1024,
        condition=None,
        sampler=None,
    ) -> tf.Tensor:
        """New images: the mean of p(x|z) at samples of the prior, or of what a sampler draws.

        Args:
            n: Int. How many.
            seed: Int. The same seed gives the same codes. Defaults to `None`: new ones each call.
            batch_size: Int. How many pass through the decoder at once. Defaults to `1024`.
            condition: As for `encode`. Defaults to `None`.
            sampler: What draws the codes, such as one of `keras_vae.samplers` that was fitted to
                the model's codes: anything with `sample(n, seed)`, which returns `[n, latent]`.
                Defaults to `None`: the prior.

        Returns:
            `[n, *event]`, float32.

        Raises:
            ValueError: If `n`, `seed` or `sampler` is invalid, or the model is not built.
        """
        self._check_built("sample")
        arguments.count("n", n)
        seed = random.randrange(2**31) if seed is None else arguments.seed("seed", seed)
        z = self._drawn_codes(n, seed, sampler)
        return self._in_batches(lambda *batch: self.decode(*batch).mean(), batch_size, z, condition)

    def _drawn_codes(self, n, seed, sampler):
        """Codes `[n, latent]` of the prior, or of a sampler."""
        if sampler is None:
            return self.prior_distribution().sample(n, seed=tf.constant([seed, 0]))
        arguments.sampler(sampler)
        z = tf.convert_to_tensor(sampler.sample(n, seed), tf.float32)
        if z.shape != (n, self.latent_dim):
            raise ValueError(
                f"`sampler` must draw codes [n, {self.latent_dim}] for this model. Received: "
                f"codes of shape {tuple(z.shape)} of a {type(sampler).__name__}. Fit it to "
                "`keras_vae.samplers.codes_of(model, images)` of the same model."
            )
        return z

    def interpolate(
        self, start, end, num_steps: int = 10, batch_size: int = 1024, condition=None
    ) -> tf.Tensor:
        """What is decoded on the straight line between the codes of pairs of images.

        Args:
            start: Images, `[n, *event]`.
            end: As many.
            num_steps: Int. Images of each pair, the reconstructions of both included. Defaults to
                `10`.
            batch_size: Int. How many pass through the networks at once. Defaults to `1024`.
            condition: As for `encode`, for each pair. Defaults to `None`.

        Returns:
            `[n, num_steps, *event]`, float32. Deterministic.

        Raises:
            ValueError: If an argument is invalid, or the images are not such as `fit` takes, or not
                as many.
        """
        self._check_built("interpolate")
        arguments.count("num_steps", num_steps, least=2)
        first, last = (self.embed(images, batch_size, condition).numpy() for images in (start, end))
        if len(first) != len(last):
            raise ValueError(
                f"`start` and `end` must be as many images. Received: {len(first)} and {len(last)}"
            )
        walks = latent_walks.between(first, last, num_steps)
        codes = tf.reshape(walks, [-1, self.latent_dim])
        conditions = self.conditions(condition, len(first))
        if conditions is not None:
            condition = tf.repeat(conditions, num_steps, axis=0)
        images = self._in_batches(
            lambda *batch: self.decode(*batch).mean(), batch_size, codes, condition
        )
        return tf.reshape(images, [len(first), num_steps, *images.shape[1:]])

    def impute(
        self,
        x,
        num_samples: int = 100,
        num_draws: int | None = None,
        seed: int | None = None,
        batch_size: int = 1024,
        condition=None,
    ) -> tf.Tensor:
        """Images with their holes filled in, for a model with `missing=True`.

        What is missing is guessed from what is there, by codes of q(z|x_observed) weighted by
        importance: what a trained model knows, and as good as its bound of log p(x_observed) with
        so many samples is tight. What was observed stays as it is.

        Args:
            x: Images, `[n, *event]`, NaN where nothing was observed, or what `predict` takes
                besides; see `reconstruct`.
            num_samples: Int. Codes an image. Defaults to `100`.
            num_draws: Int. How many draws of p(x_missing|x_observed) to return for each image, for
                multiple imputation. Defaults to `None`: not draws, but the mean, which for classes
                is the probability of each.
            seed: Int. The same seed and batches give the same result. Defaults to `None`: another
                each call.
            batch_size: Int. How many images of an array are filled in at once. Defaults to `1024`.
            condition: As for `encode`, with an array. Defaults to `None`.

        Returns:
            `[n, *event]`, or with `num_draws` `[num_draws, n, *event]`, float32.

        Raises:
            ValueError: If an argument is invalid, the images are not such as `fit` takes, or the
                model takes no missing values.
        """
        self._check_built("impute")
        if not self.missing:
            raise ValueError(
                "`impute` needs a model of what may be missing: build it, and its encoder, with "
                "`missing=True`. Received: a model with missing=False"
            )
        arguments.count("num_samples", num_samples)
        seed = random.randrange(2**31) if seed is None else arguments.seed("seed", seed)
        batches = itertools.count()

        def filled_in(x, condition=None):
            own_seed = tf.constant([seed, next(batches)])
            if num_draws is None:
                return imputation.imputed_means(self, x, condition, num_samples, own_seed)
            return imputation.imputed_draws(self, x, condition, num_samples, num_draws, own_seed)

        if num_draws is None:
            return self._of_images("impute", filled_in, batch_size, x, condition)
        arguments.count("num_draws", num_draws)
        draws = self._of_images("impute", filled_in, batch_size, x, condition)
        return tf.transpose(draws, [1, 0, *range(2, draws.shape.rank)])

    def signatures(self) -> export.Signatures:
        """What an exported model serves: `reconstruct` by default, `encode`, `decode`, `sample`."""
        return export.vae_signatures(self)

    def explore(
        self,
        path: str | os.PathLike | None = None,
        images=None,
        labels=None,
        names: Sequence[str | None] | None = None,
        title: str | None = None,
        card: Mapping | None = None,
        encoder: bool = True,
        overwrite: bool = False,
    ):
        """Writes one HTML file in which latents are dragged and pictures follow.

        The file needs no network, server or installation; weights, codes and a few images are in
        it. It shows grey and colour images, of networks of the layers that `docs/explorer.md`
        lists.

        Args:
            path: The file, whose name ends in `.html`. Defaults to `None`: nothing is written, and
                a notebook shows the page that is returned.
            images: `[n, *event]`, as `fit` takes them: their codes are dots on the map and give the
                sliders their ranges and order, and the first few may be walked between. At most
                1,000, evenly spaced, are encoded. Defaults to `None`: ranges and order come from
                the prior and the decoder.
            labels: `[n]`, integers, floats or strings. They colour the dots, and are the conditions
                of a conditional model if they are integers. Defaults to `None`.
            names: A name for each latent, in the order of the latents; `None` leaves one unnamed.
                Defaults to `None`: none is named.
            title: Of the page. Defaults to `None`: the card's name, or the class.
            card: What the page tells of the model besides what the model knows itself: strings,
                numbers and mappings of them, such as `presets.card(name)`. Defaults to `None`.
            encoder: Bool. Whether the page can encode images that are drawn or dropped on it.
                Defaults to `True`.
            overwrite: Bool. Whether to replace a file that is there. Defaults to `False`.

        Returns:
            The file's `Path`; or without `path` a `keras_vae.explorer.Page`, whose `html` is the
            page.

        Raises:
            ValueError: Before anything is written, if an argument is invalid, the model is not
                built, a weight is not finite, or a layer cannot run in a page.
            OSError: If the file cannot be written, or is there.
        """
        # Only who wants a page pays for its import.
        from keras_vae import explorer

        return explorer.explore(self, path, images, labels, names, title, card, encoder, overwrite)
