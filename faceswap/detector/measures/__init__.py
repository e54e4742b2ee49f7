"""How good a detector is: figures, their certainty, controls."""
