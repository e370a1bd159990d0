"""A site of another origin, with its own sign-in, its pages, and a back end that makes tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from django.utils import timezone

from gateway.auth.tokens import make_key_pair, make_token


class OtherSite:
    """Serves `folder`, and at /my/tocsin-token the token of the person whom it has signed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.person = ""
        self._private_key, public_key = make_key_pair()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.settings = {"CORS_ALLOWED_ORIGINS": self.url, "JWT_PUBLIC_KEYS": public_key.replace("\n", "\\n")}

    def token(self) -> str:
        return make_token(self.person, self._private_key, now=timezone.now())

    @classmethod
    @contextmanager
    def serving(cls, folder: Path) -> Iterator["OtherSite"]:
        folder.mkdir()
        site = cls(folder)
        thread = Thread(target=site.server.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            site.server.shutdown()
            thread.join()
            site.server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, site: OtherSite, *arguments: Any, **named: Any) -> None:
        self._site = site
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        if self.path == "/my/tocsin-token":
            self.send_response(200 if self._site.person else 401)
            self.end_headers()
            self.wfile.write(self._site.token().encode() if self._site.person else b"")
        else:
            super().do_GET()

    def end_headers(self) -> None:
        """With as strict a policy as a site may have: no inline script or style, one foreign connection."""
        self.send_header("Content-Security-Policy", "default-src 'self'; connect-src *; img-src https:")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass
