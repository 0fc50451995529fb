"""A local cloud: moto, with a delivery toolchain that acts. It knows nothing of what it runs."""
