"""Members of the VAE family: one small file each, overriding `VAE.divergence`."""
