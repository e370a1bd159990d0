"""Middleware that changes answers, for servers that call it with and without `await`."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

Answer = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]
Middleware = Callable[[Answer], Answer]
Change = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]
Instead = Callable[[HttpRequest], HttpResponseBase | None]


def changing_answers(change: Change, *, instead: Instead = lambda _: None) -> Middleware:
    """Return a middleware that passes each answer through `change`; `instead` may give one at once."""

    @sync_and_async_middleware
    def middleware(answer: Answer) -> Answer:
        if iscoroutinefunction(answer):

            async def answered(request: HttpRequest) -> HttpResponseBase:
                return change(request, instead(request) or await answer(request))

            return answered
        return lambda request: change(request, instead(request) or answer(request))  # type: ignore[arg-type]

    return middleware
