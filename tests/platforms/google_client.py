"""Google's own client reaches a fake as if it were Google."""

from typing import Any

import httplib2


class Through(httplib2.Http):
    """To be given to `googleapiclient.discovery.build` as `http`."""

    def __init__(self, gateway: str, token: str) -> None:
        super().__init__(timeout=20)
        self.redirect_codes = self.redirect_codes - {308}
        self._gateway = gateway
        self._token = token

    def request(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **more: Any) -> Any:
        signed = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
        return super().request(uri.replace("https://", f"{self._gateway}/"), method, body, signed, **more)
