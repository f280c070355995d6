"""The platforms as they document themselves, strict and in memory: for tests, and for trying everything without an
account (`video-manager demo`). Nothing here is used when the product publishes for real."""
