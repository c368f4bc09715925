"""What is said where a public name is used that is another now, in one form.

CONTRIBUTING.md, "Renaming", says how long an old name works.
"""

import warnings


def warn_renamed(old: str, new: str, until: str, stacklevel: int = 3):
    """Warns that a name will be gone.

    Args:
        old: The old name, as a user writes it.
        new: What to write in its place.
        until: The version in which the old name is gone.
        stacklevel: Int. Whose line the warning points to: `3` is the caller's caller.
    """
    message = f"`{old}` is deprecated, and gone in keras_vae {until}. Write `{new}`."
    warnings.warn(message, FutureWarning, stacklevel=stacklevel)


def warn_of_old_hooks(cls: type, hooks: dict[str, str], stacklevel: int = 3):
    """Warns of methods of a class that override what nobody calls any more.

    Args:
        cls: A class that is being defined.
        hooks: `{old name: how the new one is defined}`.
        stacklevel: Int. As for `warn_renamed`.
    """
    for old, new in hooks.items():
        if callable(vars(cls).get(old)):
            warnings.warn(
                f"`{cls.__name__}.{old}` is never called, so what it does is not part of the loss: "
                f"that hook is `{new}` now.",
                FutureWarning,
                stacklevel=stacklevel,
            )
