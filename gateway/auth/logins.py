"""Wrong passwords are limited: by address and name, and by address. Applies to the login page and the admin.

Counted in each process, before the password is checked, so that attempts at once count too; a check costs a
quarter of a second of CPU. A limit by name alone would let anybody lock a person out.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.forms import AuthenticationForm as AdminForm

from gateway.presence.addresses import address_of

WITHIN_S = 300.0
OF_A_NAME, OF_AN_ADDRESS = 5, 20
_REMEMBERED = 10_000


class Attempts:
    """The attempts of each key that did not succeed, for `WITHIN_S` after the first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()  # oldest first
        self._lock = threading.Lock()

    def begin(self, address: str, name: str) -> bool:
        """Count an attempt. Return False if there were too many, and then do not check its password."""
        with self._lock:
            self._forget()
            keys = {(address,): OF_AN_ADDRESS, (address, name): OF_A_NAME}
            if any(self._count(key) >= most for key, most in keys.items()):
                return False
            for key in keys:
                since, count = self._counts.get(key, (self._clock(), 0))
                self._counts[key] = (since, count + 1)
            return True

    def succeed(self, address: str, name: str) -> None:
        """Forget a name's attempts, and do not count this one for the address."""
        with self._lock:
            self._counts.pop((address, name), None)
            since, count = self._counts.get((address,), (0.0, 0))
            if count:
                self._counts[(address,)] = (since, count - 1)

    def _count(self, key: tuple[str, ...]) -> int:
        return self._counts.get(key, (0.0, 0))[1]

    def _forget(self) -> None:
        before = self._clock() - WITHIN_S
        while self._counts:
            oldest, _ = next(iter(self._counts.values()))
            if oldest >= before and len(self._counts) <= _REMEMBERED:
                return
            self._counts.popitem(last=False)


_attempts = Attempts()


def client_of(request: HttpRequest | None) -> str:
    """Return the network address of a request."""
    return address_of([request.META.get("REMOTE_ADDR", "") if request else ""])


class _Limited:
    """Mixed into a login form."""

    def clean(self) -> Any:
        address, name = client_of(self.request), str(self.data.get("username", ""))[:150]  # type: ignore[attr-defined]
        if not _attempts.begin(address, name):
            minutes = int(WITHIN_S // 60)
            raise ValidationError(f"Too many attempts; try again in {minutes} minutes.", code="throttled")
        cleaned = super().clean()  # type: ignore[misc]
        _attempts.succeed(address, name)
        return cleaned


class LoginForm(_Limited, AuthenticationForm): ...


class AdminLoginForm(_Limited, AdminForm): ...  # type: ignore[misc]
