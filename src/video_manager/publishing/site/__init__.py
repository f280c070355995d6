"""The product's own public site: pages, podcast feed, and honest counts."""
