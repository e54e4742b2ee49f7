"""What the detector learns from: real crops, forgeries made on the fly, sets with their terms."""
