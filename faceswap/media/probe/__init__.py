"""What a clip is, read before its frames are taken: nothing is written here."""
