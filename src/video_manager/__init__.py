"""video-manager: automated video creation, human review, publishing and feedback."""

__version__ = "0.1.0"
