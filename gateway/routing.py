"""WebSocket paths."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import path

from gateway.presence.admission import Admission
from gateway.sockets.consumer import NativeConsumer, SessionConsumer

# Admission comes first: a refused socket must not cost a session look-up.
websocket = URLRouter(
    [
        path("ws", Admission(AuthMiddlewareStack(SessionConsumer.as_asgi()))),  # type: ignore[arg-type]
        path("ws/native", Admission(NativeConsumer.as_asgi())),  # type: ignore[arg-type]
    ]
)
