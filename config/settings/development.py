"""A checkout on a developer's machine. `make run` writes `dev.env` with ports and secrets."""

from config.env import env, home

env.read_env(str(home() / "dev.env"))
env.ENVIRON.setdefault("DATABASE_URL", "postgres://tocsin@127.0.0.1:1/not-started")
env.ENVIRON.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
env.ENVIRON.setdefault("SECRET_KEY", "not-started")
env.ENVIRON.setdefault("FIELD_ENCRYPTION_KEYS", "")

from config.settings.base import *  # noqa: E402, F403

DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = True
TOCSIN_DEMO = True
SANDBOX_URL = env.str("SANDBOX_URL", default="")
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="")
