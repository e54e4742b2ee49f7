"""What stands beside every answer of a detector, whatever it says (detector-facts §5)."""

LIMITATIONS = (
    "This is no evidence against anyone: a score is one small network's guess about pictures, and it errs.",
    "On forgeries and people that it was not trained on it is weaker, on some blind.",
    "A low score does not mean that a swap is undetectable: stronger detectors exist, and will exist.",
    "Its errors by skin tone, age and gender have not been measured.",
    "It judges finished work. No setting, checkpoint or merge is chosen by its scores.",
)
