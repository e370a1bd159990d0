"""WebSocket paths."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import path

from gateway.consumers import NativeConsumer, SessionConsumer

websocket = URLRouter(
    [
        path("ws", AuthMiddlewareStack(SessionConsumer.as_asgi())),
        path("ws/native", NativeConsumer.as_asgi()),
    ]
)
