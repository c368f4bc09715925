"""`python -m keras_vae` prints the trained models that ship with the package."""

from keras_vae import presets


def main():
    """Prints one line for each preset, and how to load one."""
    descriptions = presets.descriptions()
    width = max(map(len, descriptions), default=0)
    for name, description in descriptions.items():
        print(f"{name:{width}}  {description}")
    print(
        "\nLoad one with keras_vae.VAE.from_preset(NAME)."
        if descriptions
        else "No trained models are installed."
    )


if __name__ == "__main__":
    main()
