"""The ASGI application, for Daphne or any other ASGI server."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
_http = get_asgi_application()  # loads the apps; must run before any import of models

from gateway.ingress.hook_calls import hooks  # noqa: E402
from gateway.ingress.http import ingress  # noqa: E402
from gateway.routing import websocket  # noqa: E402
from runtime.start import refuse_unsafe_start  # noqa: E402

refuse_unsafe_start()

application = ProtocolTypeRouter({"http": ingress(hooks(_http)), "websocket": websocket})
