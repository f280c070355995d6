"""Pure rules: no input or output, no clock, no randomness. Times and ids come in as arguments."""
