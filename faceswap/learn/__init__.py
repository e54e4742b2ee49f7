"""The one way to train, save and continue any network."""
