"""`python -m keras_vae` prints the trained models that ship with the package."""

from keras_vae import presets


def main():
    """Prints one line for each preset, and how to load one."""
    print("\n".join(presets.list()) or "No trained models are installed.")
    print("\nLoad one with keras_vae.VAE.from_preset(NAME).")


if __name__ == "__main__":
    main()
