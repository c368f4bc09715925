"""Whether the likelihood of an example depends on that example alone."""


def check_own_likelihood(model):
    """Refuses a model whose score of an example would change with those beside it.

    Args:
        model: A VAE.

    Raises:
        ValueError: If its likelihood fits a scale to whatever batch it is asked about.
    """
    if getattr(model.likelihood, "scale", None) == "optimal":
        raise ValueError(
            'A Gaussian likelihood with scale="optimal" fits its scale to the batch that is '
            "scored, so that an example's score depends on those beside it. Train with "
            "`Gaussian(learn_scale=True)` for scores by example."
        )
