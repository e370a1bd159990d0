from django.contrib.auth.views import LogoutView
from django.urls import path, re_path

from gateway.api import asyncapi
from gateway.api.views import api
from gateway.person import password
from gateway.person.addresses import addresses
from gateway.person.devices import devices
from gateway.person.inbox import home, inbox, story
from gateway.person.reach import reach
from gateway.person.wishes import settings
from gateway.web import demo, health, hooks, metrics, pages, verify
from notifications.delivery import verifying

urlpatterns = [
    path("", home, name="page"),
    path("inbox/", inbox),
    path("inbox/<int:seq>/", story),
    path("settings/", settings),
    path("addresses/", addresses),
    path("devices/", devices),
    path("reachability/", reach),
    path("login/", pages.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", password.change),
    path("password/reset/", password.AskForMail.as_view()),
    path("password/reset/sent/", password.Sent.as_view()),
    path("password/reset/<uidb64>/<token>/", password.SetNew.as_view()),
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
