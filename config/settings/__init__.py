"""One module per environment, each on the short `base`."""
