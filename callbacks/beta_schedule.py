"""Changes the weight of the KL as training goes on."""

from collections.abc import Callable

from keras_vae.callbacks.value_schedule import ValueSchedule


class BetaSchedule(ValueSchedule):
    """Sets `model.beta`, the weight of the KL, to a function of the training step.

    A KL that enters slowly lets the code become useful before it is paid for, which is the usual
    cure of posterior collapse (Bowman et al., 2016; Fu et al., 2019). See `ValueSchedule` for the
    shapes, for what the model must offer, and for resuming. `keras_vae.VAE` logs `beta` itself, as
    a mean over the epoch; to the `logs` of other models that of the epoch's last step is added.

    Args:
        schedule: `"linear"`, `"cosine"`, `"sigmoid"`, `"cyclical"`, or a function from the number
            of steps taken to beta. Defaults to `"linear"`.
        start: Float. Beta of the first step. Defaults to `0.0`.
        end: Float. Beta from the end of the warm-up on. Defaults to `1.0`. In the terms of the
            model's loss: a VAE of `reduction="mean"` takes other betas than one of `"sum"`.
        warmup_steps: Int. Length of the warm-up in steps. Defaults to `None`.
        warmup_epochs: Float. The same in epochs. Defaults to `None`.
        num_cycles: Int. Of `"cyclical"`. Defaults to `4`.
        rise: Float in (0, 1]. The part of a cycle in which beta rises. Defaults to `0.5`.

    Raises:
        ValueError: As `ValueSchedule` does, and if beta is or becomes negative.

    Example:
    >>> warm_up = keras_vae.callbacks.BetaSchedule("cosine", end=4.0, warmup_epochs=5)
    >>> model.fit(images, epochs=20, callbacks=[warm_up])
    """

    # A negative weight would reward a code for being far from the prior.
    _least = 0.0

    def __init__(
        self,
        schedule: str | Callable[[int], float] = "linear",
        start: float = 0.0,
        end: float = 1.0,
        warmup_steps: int | None = None,
        warmup_epochs: float | None = None,
        num_cycles: int = 4,
        rise: float = 0.5,
    ):
        super().__init__(
            "beta", schedule, start, end, warmup_steps, warmup_epochs, num_cycles, rise
        )
