"""The self-test: how detectable a finished swap is, and its report."""
