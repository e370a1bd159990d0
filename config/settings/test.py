"""Settings for the tests. `tests/conftest.py` starts real servers on free ports and sets the URLs."""

from config.env import env

env.ENVIRON.setdefault("DATABASE_URL", "postgres://tocsin@127.0.0.1:1/not-started")
env.ENVIRON.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
# The tests write to the same few chats all the time; rate limits have their own tests.
env.ENVIRON.setdefault("TOCSIN_TELEGRAM_PER_S", "0")
env.ENVIRON.setdefault("TOCSIN_SLOW_SEND_S", "100")  # a test of the recorder thread sets its own
env.ENVIRON.setdefault("DATABASE_ANSWER_WITHIN_S", "60")  # copying the test database takes long
env.ENVIRON.setdefault("SECRET_KEY", "only-for-tests")
# A fixed key: nothing outside a test's own database is encrypted with it.
env.ENVIRON.setdefault("FIELD_ENCRYPTION_KEYS", "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=")

from config.settings.base import *  # noqa: E402, F403

ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = True
TOCSIN_DEMO = True
SANDBOX_URL = env.str("SANDBOX_URL", default="")
DEMO_PASSWORD = env.str("DEMO_PASSWORD", default="")
