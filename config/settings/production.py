"""Production: all values come from the environment; unsafe values stop the start."""

from config.env import env
from config.settings.base import *  # noqa: F403

PRODUCTION = True
DEBUG = env.bool("DEBUG", default=False)  # refused at the start, rather than ignored
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
# Without a proxy of ours the header is the client's own.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TOCSIN_EDGE.trusted_proxies else None  # noqa: F405
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "config.storage.StaticStorage"},
}
