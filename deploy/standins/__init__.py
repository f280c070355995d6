"""What the trials of deploy/ run and stand in."""
