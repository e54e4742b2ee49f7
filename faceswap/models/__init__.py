"""Networks only: no losses, no input or output."""
