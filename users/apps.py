import importlib

from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "users"
    verbose_name = "People and sources"

    def ready(self) -> None:
        importlib.import_module("users.checks")
