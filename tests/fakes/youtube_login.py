"""The fake's login: access tokens for a refresh token, and the consent that a person gives in a browser."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.fakes.youtube_model import Answer, said

SECRET = "CANARY-SECRET"
REFRESH = "CANARY-REFRESH"
CLIENT = "client-1.apps.googleusercontent.com"


class Login:
    def __init__(self) -> None:
        self.url = ""
        self.access: set[str] = set()
        self.renewed = 0
        self.expires = 3600
        #: An error of the token endpoint, or of the consent, as OAuth names it.
        self.refuses = ""
        self.denies = ""
        #: Whether a code brings a refresh token along.
        self.offline = True
        self.scope = ""
        self.asked: dict[str, str] = {}

    def token(self) -> str:
        """What ``mangavid auth youtube`` stores."""
        return json.dumps({"client_id": CLIENT, "client_secret": SECRET, "refresh_token": REFRESH})

    def client(self, **changes: Any) -> dict[str, Any]:
        """The file of an OAuth client, as Google's console gives it."""
        about = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "auth_uri": f"{self.url}/consent",
            "token_uri": f"{self.url}/token",
            "redirect_uris": ["http://localhost"],
        }
        return {"installed": {**about, **changes}}

    def knows(self, header: str) -> bool:
        return header.removeprefix("Bearer ") in self.access

    def serve(self, call: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        return self._consent(query) if call == "consent" else self._token(headers.get("authorization", ""), body)

    def _consent(self, query: dict[str, str]) -> Answer:
        """As if the person had agreed at once."""
        self.asked = query
        told = {"error": self.denies} if self.denies else {"code": "code-1", "scope": self.scope or query["scope"]}
        where = f"{query['redirect_uri']}?{urlencode({**told, 'state': query['state']})}"
        return Answer(302, b"", {"Location": where})

    def _token(self, authorization: str, body: bytes) -> Answer:
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        if authorization.startswith("Basic "):  # the client's secret may come this way too
            form["client_secret"] = base64.b64decode(authorization[6:]).decode().partition(":")[2]
        if self.refuses:
            return said({"error": self.refuses, "error_description": "Token has been expired or revoked."}, 400)
        if form.get("client_secret") != SECRET:
            return said({"error": "invalid_client", "error_description": "The OAuth client was not found."}, 401)
        known = form["grant_type"] == "refresh_token" and form.get("refresh_token") == REFRESH
        if not known and not (form["grant_type"] == "authorization_code" and form.get("code") == "code-1"):
            return said({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        self.renewed += 1
        access = f"CANARY-ACCESS-{self.renewed}"
        self.access = {access}
        found = {"access_token": access, "expires_in": self.expires, "token_type": "Bearer"}
        if form["grant_type"] == "authorization_code":
            found["scope"] = self.scope or self.asked.get("scope", "")
            if self.offline:
                found["refresh_token"] = REFRESH
        return said(found)
