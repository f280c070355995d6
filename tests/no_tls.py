"""For clients of servers on this machine, which speak plain HTTP."""

import ssl

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify` of httpx: otherwise every client reads all certificate authorities, which takes longer than most answers."""
