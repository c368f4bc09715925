"""Changes how many nats a code may hold as training goes on."""

from collections.abc import Callable

from keras_vae.callbacks.value_schedule import ValueSchedule


class CapacitySchedule(ValueSchedule):
    """Sets `model.capacity`, the KL in nats that the loss pulls toward, as training goes on.

    For the loss -log p(x|z) + gamma * |KL(q(z|x) || p(z)) - C| of Burgess et al., "Understanding
    disentangling in beta-VAE" (2018), equation 8, in which C rises linearly from 0. See
    `ValueSchedule` for the shapes, for what the model must offer, and for resuming.

    Args:
        end: Float. Capacity from the end of the warm-up on, in the unit of the model's `kl_loss`.
            Defaults to `25.0` nats.
        schedule: `"linear"`, `"cosine"`, `"sigmoid"`, `"cyclical"`, or a function from the number
            of steps taken to the capacity. Defaults to `"linear"`.
        start: Float. Capacity of the first step. Defaults to `0.0`.
        warmup_steps: Int. How many steps the rise takes. Defaults to `None`.
        warmup_epochs: Float. The same in epochs. Defaults to `None`.

    Raises:
        ValueError: As `ValueSchedule` does, and if the capacity is or becomes negative.

    Example:
    >>> rise = keras_vae.callbacks.CapacitySchedule(end=25.0, warmup_steps=100_000)
    >>> vae = keras_vae.objectives.AnnealedVAE(encoder, decoder)
    >>> vae.compile(keras.optimizers.Adam(1e-3))
    >>> vae.fit(images, epochs=100, callbacks=[rise])
    """

    # No KL is negative.
    _least = 0.0

    def __init__(
        self,
        end: float = 25.0,
        schedule: str | Callable[[int], float] = "linear",
        start: float = 0.0,
        warmup_steps: int | None = None,
        warmup_epochs: float | None = None,
    ):
        super().__init__("capacity", schedule, start, end, warmup_steps, warmup_epochs)
