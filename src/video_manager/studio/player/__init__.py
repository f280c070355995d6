"""The review player: exact to the frame, with marks on its timeline, alone or two versions side by side."""

from video_manager.studio.player.player import Cut, Mark, ReviewPlayer

__all__ = ["Cut", "Mark", "ReviewPlayer"]
