"""The variational autoencoder as a Keras model: its mathematics."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from keras_vae import arguments
from keras_vae.distributions import (
    check_same_space,
    get_likelihood,
    get_posterior,
    get_prior,
    is_factorized,
    kl_divergence,
    kl_per_dimension,
    reparameterized_sample,
)
from keras_vae.inference import Inference
from keras_vae.network_checks import (
    check_decoder,
    check_encoder,
    check_networks,
    check_parameters_shape,
)
from keras_vae.presets import HasPresets
from keras_vae.renamed import warn_of_old_hooks
from keras_vae.training import LoggedMean, Pass, Term, TermTrainer
from keras_vae.training.data_checks import as_float_images

REDUCTIONS = ("sum", "mean")
# Before 0.2.
_OLD_HOOKS = {
    "divergence": "regularizers(posterior, z, kl, training)",
    "objective": "forward(x, condition, training)",
}


@keras.saving.register_keras_serializable(package="keras_vae")
class VAE(Inference, HasPresets, TermTrainer):
    """A beta-VAE: encoder q(z|x), decoder p(x|z), trained on the beta-weighted negative ELBO.

    The loss of an example x, with z drawn once from q(z|x) by reparameterisation, is

        -log p(x|z) + beta * KL(q(z|x) || p(z))        (nats)

    which is the negative of equation 7 of Kingma & Welling, "Auto-Encoding Variational Bayes"
    (2014), at `beta=1`, and of equation 4 of Higgins et al., "beta-VAE" (2017), otherwise.
    `fit` and `evaluate` take images alone (`x`), or `(x,)`, `(x, y)`, `(x, y, sample_weight)`;
    `y` is not used. They log

    - `reconstruction_loss` and `kl_loss`, the two terms as they enter the loss, and `beta`, so
      that `loss == reconstruction_loss + beta * kl_loss` (plus any further terms by their names).
      While a schedule moves beta, an epoch's `beta` is its mean weighted by the KL, for which this
      still holds;
    - `reconstruction_loss_<name>`, of a likelihood with groups, what each contributes;
    - `elbo`, the plain evidence lower bound in nats an example, whatever beta or reduction.

    Args:
        encoder: Keras model from images `[batch, *event]` to a dict of `loc` and `scale`, both
            `[batch, latent]`. See `keras_vae.networks`.
        decoder: Keras model from codes `[batch, latent]` to the likelihood's parameters, for
            `"bernoulli"` the logits `[batch, *event]`. With `likelihood=` the builders in
            `keras_vae.networks` make it as large as it must be.
        likelihood: `"bernoulli"`, `"continuous_bernoulli"`, `"discretized_logistic"`,
            `"gaussian"` (one scale, which is learned), `"laplace"`, `"student_t"`, `"log_normal"`,
            `"beta"`, `"poisson"`, `"negative_binomial"`, `"categorical"`, or a
            `keras_vae.distributions.Likelihood`, such as a `Product` of several. Defaults to
            `"bernoulli"`.
        prior: `"standard_normal"`, `"gaussian_mixture"`, `"spherical_uniform"` with the posterior
            `"von_mises_fisher"` alone, or a layer with a `distribution(latent_dim)` method.
            Defaults to `"standard_normal"`.
        posterior: `"diagonal_normal"`, `"full_covariance_normal"`, `"coupling_flow"`,
            `"inverse_autoregressive_flow"`, `"householder_flow"`, `"von_mises_fisher"`, or a
            `keras_vae.distributions.Posterior`. Defaults to `"diagonal_normal"`.
        beta: Float, at least 0. Weight of the KL; 0 trains a plain autoencoder with noisy codes.
            It becomes a non-trainable weight: assign to `vae.beta` at any time. Defaults to `None`:
            1 with `reduction="sum"`; with `"mean"`, where 1 is far too much, there is no default.
        reduction: `"sum"` sums over pixels and over latent dimensions; `"mean"` takes the mean
            over each instead. With N pixels and M latents, beta in the mean form is Higgins'
            beta_norm = beta * M / N of the sum form: 0.01 with M=10 and N=784 is 0.784 there.
            Defaults to `"sum"`.
        free_bits: Float, nats. What the KL of each latent, a mean over the batch, may be without
            adding to the loss: KL_i enters as max(free_bits, KL_i) (Kingma et al., "Improving
            variational inference with inverse autoregressive flow", 2016, equation 15, with one
            latent a group). Needs a factorised posterior and prior. Defaults to `0.0`.
        kl_balance: Float in (0, 1), for a prior that is learned. The share of the KL's gradient
            that moves the prior towards the posterior, the rest moving the posterior (Hafner et
            al., "Mastering Atari with discrete world models", 2021, algorithm 2, with 0.8).
            Defaults to `None`: the plain gradient of both.
        missing: Bool. Whether NaN in an image means "not observed": the likelihood is then that of
            what is there, log p(x_observed|z), so that all bounds are bounds of log p(x_observed).
            The encoder must take NaN: build it with `missing=True`, or begin it with
            `keras_vae.networks.ZerosAndMask`. For a mask, pass `np.where(mask, x, np.nan)`. With
            `objectives.IWAE` this is the MIWAE (Mattei & Frellsen, "MIWAE: deep generative
            modelling and imputation of incomplete data sets", 2019). See `impute`.
            Defaults to `False`: NaN is refused.
        coefficients: `{name: float}`, for a subclass: further arguments of its constructor that are
            scalars of its loss. Each becomes what `beta` is, a non-trainable weight of that name
            which schedules may move, and part of the config. Defaults to `None`: no more.
        seed: Int. The noise of a training step is a function of `(seed, step, replica)` alone.
            Defaults to `None`, a seed drawn from Python's `random`, which
            `keras.utils.set_random_seed` fixes.

    Raises:
        ValueError: If an argument is invalid, or if encoder, decoder and likelihood do not fit.

    Input shape:
        `[batch, *event]`, floating point, inside the likelihood's support.

    Output shape:
        The same: the mean of p(x|z) at the mean of q(z|x).

    Example:
    >>> shape = (28, 28, 1)
    >>> vae = keras_vae.VAE(
    ...     encoder=keras_vae.networks.mlp_encoder(shape, latent_dim=10, hidden_sizes=[100, 100]),
    ...     decoder=keras_vae.networks.mlp_decoder(shape, latent_dim=10, hidden_sizes=[100, 100]),
    ... )
    >>> vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    >>> vae.fit(images, epochs=10)
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        warn_of_old_hooks(cls, _OLD_HOOKS)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood="bernoulli",
        prior="standard_normal",
        beta: float | None = None,
        reduction: str = "sum",
        seed: int | None = None,
        posterior="diagonal_normal",
        free_bits: float = 0.0,
        kl_balance: float | None = None,
        coefficients: Mapping | None = None,
        missing: bool = False,
        **kwargs,
    ):
        check_networks(encoder=encoder, decoder=decoder)
        arguments.one_of("reduction", reduction, REDUCTIONS)
        if beta is None and reduction == "mean":
            raise ValueError(
                "`reduction='mean'` needs an explicit `beta`: with N pixels and M latents, beta "
                "there is beta * N / M of the sum form, so that 1 is 78 for 28x28 pixels and 10 "
                "latents, at which a code collapses. Pass, for example, `beta=0.01`."
            )
        beta = 1.0 if beta is None else beta
        super().__init__({"beta": beta, **(coefficients or {})}, seed, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        self.prior = get_prior(prior)
        self.posterior = get_posterior(posterior)
        check_same_space(self.posterior, self.prior)
        self.reduction = reduction
        self.free_bits = arguments.number("free_bits", free_bits, least=0)
        self.missing = arguments.flag("missing", missing)
        self.kl_balance = None if kl_balance is None else arguments.share("kl_balance", kl_balance)
        # An int and a tuple once the model is built.
        self.latent_dim: Any = None
        self._event_shape: Any = None
        self._networks_checked = False
        encoder_input = getattr(encoder, "input_shape", None) if encoder.built else None
        if isinstance(encoder_input, tuple):
            self.build(encoder_input)

    @classmethod
    def for_data(
        cls,
        x,
        latent_dim: int = 16,
        likelihood=None,
        kind: str | None = None,
        verbose: bool = True,
        **settings,
    ):
        """A model of networks and a likelihood that suit data, and what was chosen in print.

        Looks at shape, type and range of up to 10,000 examples. Rows `[n, columns]` and small
        images get fully connected networks, larger images residual ones, series `[n, time,
        features]` convolutions along time. The likelihood is Bernoulli of zeros and ones and of
        images of ink on paper, flattened or not, categorical of one-hot classes, a discretized
        logistic of other images of 256 grey levels, and otherwise a Gaussian whose scale is
        learned, from the standard deviation of the data on. What the data do not tell is refused,
        with what to say. Nothing is trained, and the data stay as they are.

        Args:
            x: Examples `[n, *event]`, floating point, or a `tf.data.Dataset` of batches of them,
                with or without labels. NaN is what was not observed.
            latent_dim: Int. Number of latents. Defaults to `16`.
            likelihood: As for the constructor; `"gaussian"` begins at the standard deviation of
                the data. Defaults to `None`: chosen.
            kind: `"images"`, `"series"` or `"rows"`. Defaults to `None`: told by the shape. Events
                of two axes are series if the last has up to 7 features and the first at least twice
                as many steps, and refused otherwise.
            verbose: Bool. Whether to print what was chosen, and the code that says the same in
                full. Defaults to `True`.
            **settings: Further arguments of the constructor, such as `beta` or `seed`.

        Returns:
            A model that is not compiled.

        Raises:
            ValueError: If an argument is invalid, or the data are none that this can tell.

        Example:
        >>> vae = keras_vae.VAE.for_data(images)
        >>> vae.compile(keras.optimizers.Adam(1e-3))
        >>> vae.fit(images, epochs=10)
        """
        # Imported late: it builds networks, which the model's mathematics does without.
        from keras_vae.for_data import model_for

        return model_for(cls, x, latent_dim, likelihood, kind, verbose, settings)

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The shape of one image; `None` until the model is built."""
        return self._event_shape

    def build(self, input_shape):
        """Builds both networks and checks that they fit each other.

        Args:
            input_shape: `(batch, *event)`; the batch may be `None`.
        """
        if self.built:
            return
        event_shape = tuple(input_shape[1:])
        latent_dim = _latent_dim(self.encoder(keras.KerasTensor((None, *event_shape))))
        code_dim = self.decoder_input_dim(latent_dim)
        expected = getattr(self.decoder, "input_shape", None) if self.decoder.built else None
        if isinstance(expected, tuple) and expected != (None, code_dim):
            raise ValueError(
                f"`encoder` and `decoder` differ in latent size: the encoder returns {latent_dim} "
                f"latents, for which the decoder must take {code_dim} numbers, and it takes inputs "
                f"of shape {expected}. Build the decoder with `latent_dim={code_dim}`."
            )
        parameters = self.decoder(keras.KerasTensor((None, code_dim)))
        check_parameters_shape(parameters, self.likelihood, event_shape)
        if self.missing:
            self.likelihood.check_missing()
        parts = (self.likelihood, event_shape), (self.prior, (latent_dim,))
        for part, shape in (*parts, (self.posterior, (latent_dim,))):
            if not part.built:
                part.build((None, *shape))
        self.latent_dim = latent_dim
        self._event_shape = event_shape
        self.built = True

    def decoder_input_dim(self, latent_dim: int) -> int:
        """How many numbers the decoder takes: the latents, and what a member appends to them."""
        return latent_dim

    # The three distributions ---------------------------------------------------------------

    def encode(self, x, condition=None) -> tfd.Distribution:
        """The approximate posterior q(z|x).

        Args:
            x: Images, `[batch, *event]`.
            condition: What is known about the images, for a member that takes conditions. Defaults
                to `None`.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[latent]`.

        Raises:
            ValueError: If the images are no floating point numbers of the model's shape, or there
                is a condition that the model does not take.
        """
        x = as_float_images(x, self.event_shape)
        self.conditions(condition, tf.shape(x)[0])
        return self.posterior.distribution(self.encoder(x))

    def decode(self, z, condition=None) -> tfd.Distribution:
        """The likelihood p(x|z).

        Args:
            z: Codes, `[batch, latent]`.
            condition: As for `encode`. Defaults to `None`.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """
        self.conditions(condition, tf.shape(z)[0])
        return self.likelihood_of(self.decoder(z))

    def likelihood_of(self, parameters) -> tfd.Distribution:
        """p(x|z) for what the decoder returned; of what is observed, where values may be missing.

        Args:
            parameters: The decoder's output for `[batch, latent]` codes.

        Returns:
            A distribution of batch shape `[batch]` and event shape `[*event]`.
        """
        if self.missing:
            return self.likelihood.distribution_of_observed(parameters)
        return self.likelihood.distribution(parameters)

    def prior_distribution(self) -> tfd.Distribution:
        """The prior p(z), of event shape `[latent]`."""
        return self.prior.distribution(self.latent_dim)

    def reparameterize(self, posterior: tfd.Distribution, noise) -> tf.Tensor:
        """A sample of q(z|x) as a differentiable function of it and of noise.

        Args:
            posterior: q(z|x), of batch shape `[batch]`.
            noise: Standard normal, `[..., batch, latent]`.

        Returns:
            `[..., batch, latent]`.
        """
        return reparameterized_sample(posterior, noise)

    def kl_divergence(self, posterior: tfd.Distribution, z) -> tf.Tensor:
        """KL(q(z|x) || p(z)) in nats, `[batch]`.

        In closed form where there is one, which does not use `z`; otherwise its estimate
        log q(z|x) - log p(z).

        Args:
            posterior: q(z|x), of batch shape `[batch]`.
            z: A sample of it, `[batch, latent]`.

        Raises:
            ValueError: If `kl_balance` is set, but the KL to a prior that is not learned.
        """
        prior = self.prior_distribution()
        kl = kl_divergence(posterior, prior)
        if kl is not None:
            if self.kl_balance is not None:
                raise ValueError(
                    "`kl_balance` is for a prior that is learned, such as 'gaussian_mixture'. "
                    f"Received: kl_balance={self.kl_balance} with prior {self.prior.name!r}"
                )
            return kl
        log_posterior = posterior.log_prob(z)
        kl = log_posterior - prior.log_prob(z)
        if self.kl_balance is None:
            return kl
        moves_prior = tf.stop_gradient(log_posterior) - prior.log_prob(tf.stop_gradient(z))
        # The gradient of the KL is the sum of what moves either.
        moves_posterior = kl - moves_prior + tf.stop_gradient(moves_prior)
        return self.kl_balance * moves_prior + (1 - self.kl_balance) * moves_posterior

    def kl_per_dimension(self, posterior: tfd.Distribution) -> tf.Tensor:
        """KL(q(z_i|x) || p(z_i)) in nats, `[batch, latent]`.

        Raises:
            ValueError: If posterior or prior does not factorise over the latents.
        """
        return kl_per_dimension(posterior, self.prior_distribution())

    # The pass, and what its loss is made of ------------------------------------------------

    def regularizers(self, posterior: tfd.Distribution, z, kl, training: bool) -> dict:
        """What the loss adds to the reconstruction term: the hook that a family member overrides.

        Every entry is weighted, added to the loss and logged under its name without more code.

        Args:
            posterior: q(z|x), of batch shape `[batch]` and event shape `[latent]`.
            z: One sample of it, `[batch, latent]`.
            kl: KL(q(z|x) || p(z)) in nats, `[batch]`. Logged as `kl_loss` in any case.
            training: Bool. What `noise` wants to know.

        Returns:
            `{name: (weight, nats)}`, the nats of shape `[batch]` or scalar; a weight of `None`
            leaves a number out of the loss and in the logs.
        """
        if self.free_bits:
            means = tf.reduce_mean(self.kl_per_dimension(posterior), axis=0)
            kl = tf.reduce_sum(tf.maximum(means, self.free_bits))
        return {"kl_loss": (self.beta, kl)}

    def forward(self, x, condition, training: bool) -> Pass:
        """One pass with a sample of q(z|x): the hook for what `regularizers` cannot do.

        Args:
            x: Images, `[batch, *event]`.
            condition: What is known about them, or `None`.
            training: Bool. Whether the noise is this step's, instead of evaluation's.

        Returns:
            What `score` returns.
        """
        posterior = self.encode(x, condition)
        z = self.reparameterize(posterior, self.noise(tf.shape(x)[0], (self.latent_dim,), training))
        likelihood = self.decode(z, condition)
        distortion, groups = self.distortion(likelihood, x)
        kl = self.kl_divergence(posterior, z)
        regularizers = self.regularizers(posterior, z, kl, training)
        return self.score(likelihood.mean(), distortion, kl, regularizers, groups)

    def distortion(self, likelihood: tfd.Distribution, x) -> tuple[tf.Tensor, dict]:
        """-log p(x|z) in nats, whole and by the groups of a likelihood that has some.

        Args:
            likelihood: p(x|z), of batch shape `[batch]`; one with groups of values has a method
                `log_prob_by_group`, as `keras_vae.distributions.Product` has.
            x: Images, `[batch, *event]`.

        Returns:
            The whole, `[batch]`, and `{group: [batch]}`.
        """
        x = tf.cast(x, tf.float32)
        by_group = getattr(likelihood, "log_prob_by_group", None)
        if by_group is None:
            return -likelihood.log_prob(x), {}
        groups = {name: -log_prob for name, log_prob in by_group(x).items()}
        return tf.add_n(list(groups.values())), groups

    def score(
        self,
        reconstruction,
        distortion,
        rate,
        regularizers: Mapping,
        groups: Mapping | None = None,
    ) -> Pass:
        """The terms of the loss and what is logged beside them.

        `distortion` and `rate` are nats an example, whatever the loss makes of them: the
        `reconstruction_loss` and `kl_loss` that are logged are these terms as they enter the loss.

        Args:
            reconstruction: The mean of p(x|z), `[batch, *event]`.
            distortion: -log p(x|z), nats, `[batch]`.
            rate: KL(q(z|x) || p(z)), nats, `[batch]`.
            regularizers: What the hook of that name returns.
            groups: `{name: nats [batch]}`, what adds up to the distortion; each is logged as
                `reconstruction_loss_<name>`. Defaults to `None`: nothing does.
        """
        is_mean = self.reduction == "mean"
        pixels, latents = (math.prod(self._event_shape), self.latent_dim) if is_mean else (1, 1)
        terms = {
            "reconstruction_loss": Term(1.0, distortion, pixels),
            **{
                f"reconstruction_loss_{name}": Term(None, nats, pixels)
                for name, nats in (groups or {}).items()
            },
            "kl_loss": Term(None, rate, latents),
            **{name: _weighted(name, pair, latents) for name, pair in regularizers.items()},
        }
        logged = {
            "elbo": LoggedMean(-(distortion + rate)),
            # Weighted by the KL, the epoch's beta times the epoch's KL is the mean of their
            # products, also while a schedule moves beta.
            "beta": LoggedMean(self.beta, share=terms["kl_loss"].value),
        }
        return Pass(reconstruction, terms, logged)

    def call(  # type: ignore[override]  # What `inputs_of` gives comes between.
        self, x, condition=None, training: bool = False, return_pass: bool = False
    ):
        """Reconstructs images: the mean of p(x|z).

        Args:
            x: Images, `[batch, *event]`.
            condition: As for `encode`. Defaults to `None`.
            training: Bool. Whether z is a sample of q(z|x) with this step's noise, instead of its
                mean. Defaults to `False`.
            return_pass: Bool. Whether to return all that the loss is made of, for which z is a
                sample even outside training. Defaults to `False`.

        Returns:
            The reconstruction `[batch, *event]`, or with `return_pass` a
            `keras_vae.training.Pass`.
        """
        if not (training or return_pass):
            return self.decode(self.encode(x, condition).mean(), condition).mean()
        result = self.forward(x, condition, training)
        return result if return_pass else result.output

    def prior_sample(self, batch_size, training: bool) -> tf.Tensor:
        """Draws of the prior, `[batch_size, latent]`, that do not depend on the codes' noise."""
        prior = self.prior_distribution()
        if is_factorized(prior):
            noise = self.noise(batch_size, (self.latent_dim,), training, stream=1)
            return reparameterized_sample(prior, noise)
        return prior.sample(batch_size, seed=self.noise_seed(training, stream=1))

    def prepare_to_train(self):
        """Looks at what the networks return, once, and makes what training needs."""
        if self.built and not self._networks_checked:
            likelihood = self.likelihood
            bounds = likelihood.lower, likelihood.upper
            check_encoder(self.encoder, self.event_shape, *bounds, self.missing)
            check_decoder(self.decoder, (self.decoder_input_dim(self.latent_dim),), likelihood)
            self._networks_checked = True
        super().prepare_to_train()

    # Saving --------------------------------------------------------------------------------

    def get_config(self) -> dict:
        """The constructor's arguments, parts serialised; coefficients as they were at the start."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "prior": keras.saving.serialize_keras_object(self.prior),
            "posterior": keras.saving.serialize_keras_object(self.posterior),
            "reduction": self.reduction,
            "free_bits": self.free_bits,
            "kl_balance": self.kl_balance,
            "missing": self.missing,
        }


def _weighted(name, pair, latents):
    if not (isinstance(pair, tuple) and len(pair) == 2):
        raise ValueError(
            "`regularizers` must return a pair for each term, {name: (weight, nats)}, with a "
            "weight of None for what is logged and no part of the loss. Received: no pair for "
            f"{name!r}. To add it as it is, return (1.0, nats)."
        )
    return Term(*pair, latents)


def _latent_dim(parameters):
    """The number of latents that an encoder's symbolic output has."""
    shapes = (
        {name: tuple(p.shape) for name, p in parameters.items()}
        if isinstance(parameters, Mapping)
        else {}
    )
    fits = {"loc", "scale"} <= shapes.keys() and shapes["loc"] == shapes["scale"]
    if not fits or len(shapes["loc"]) != 2:
        raise ValueError(
            "`encoder` must return a dict of `loc` and `scale`, both of shape [batch, latent]. "
            f"Received: {keras.tree.map_structure(lambda p: tuple(p.shape), parameters)}"
        )
    return shapes["loc"][-1]
