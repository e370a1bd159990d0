from django.contrib.auth.views import LogoutView
from django.urls import path, re_path

from gateway.api import asyncapi
from gateway.api.views import api
from gateway.web import demo, health, hooks, metrics, pages, verify
from notifications.delivery import verifying

urlpatterns = [
    path("", pages.page, name="page"),
    path("login/", pages.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path(f"{verifying.PATH}<str:token>", verify.verify),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path(hooks.TELEGRAM, hooks.telegram),
    path("api/v1/asyncapi.yaml", asyncapi.document),
    path("api/v1/", api.urls),
    re_path("^api(?:/.*)?$", pages.no_such_call),
    path("demo/send", demo.send),
    path("demo/timeline", demo.events),
    path("demo/provider", demo.provider_log),
    path("demo/provider/telegram", demo.telegram_mode),
    path("demo/chat", demo.chat),
]
