"""The tabs of the administration page."""
