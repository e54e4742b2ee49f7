"""Training, hardening and cross-validating the detector."""
