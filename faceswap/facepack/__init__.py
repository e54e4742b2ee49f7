"""Training and measuring the bundled face-model pack."""
