"""`python -m video_manager` is the command line."""

from video_manager.cli import main

if __name__ == "__main__":
    main()
