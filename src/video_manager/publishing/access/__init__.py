"""How channels act for their accounts: secrets kept encrypted, tokens renewed in time, people asked when needed."""
