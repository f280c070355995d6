"""Publishing: the channels, the publication ledger with its schedule, and the product's own public site."""
