"""Training the swap: samples, updates, saving, what a person looks at."""
