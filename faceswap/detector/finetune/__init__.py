"""Fine-tuning a classifier on a user's own Real/ and Fake/ folder."""
