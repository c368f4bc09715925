"""What a training step changes besides the weights."""

import keras


def optimizer_variables(model: keras.Model) -> list:
    """The variables of every optimizer of a model; an adversary, for example, has its own."""
    parts = vars(model).values()
    optimizers = [part for part in parts if isinstance(part, keras.optimizers.Optimizer)]
    return [variable for optimizer in optimizers for variable in optimizer.variables]
