"""Webhooks of providers: what a person does in their chat with the bot."""

import json
from hmac import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from gateway.codec.problems import problem, unavailable
from notifications.bot import outbox
from notifications.bot.handler import take
from notifications.transports.telegram.updates import NotAnUpdate
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY

TELEGRAM = "hooks/telegram"
_MAX_BYTES = 64 * 1024
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  a header's name


@csrf_exempt
def telegram(request: HttpRequest) -> HttpResponse:
    """Take an update of the Bot API. Telegram repeats it until the answer is 200."""
    if not settings.TELEGRAM_WEBHOOK_SECRET:
        return problem("not_found", "There is no webhook: set TELEGRAM_WEBHOOK_SECRET.")
    given = request.headers.get(_SECRET_HEADER, "")
    if not compare_digest(given.encode(), settings.TELEGRAM_WEBHOOK_SECRET.encode()):
        return problem("wrong_secret", f"{_SECRET_HEADER} is not the secret of this webhook.")
    if request.method != "POST":
        return problem("method_not_allowed", "Telegram uses POST.", headers={"Allow": "POST"})
    if len(request.body) > _MAX_BYTES:
        return problem("too_large", f"At most {_MAX_BYTES} bytes.")
    return _taken(request.body)


def _taken(body: bytes) -> HttpResponse:
    try:
        raw = json.loads(body)
        answers = take(raw if isinstance(raw, dict) else {}, now=clock.now())
    except (ValueError, RecursionError, NotAnUpdate):
        return problem("malformed", "Send an Update of the Bot API as JSON.")
    except DATABASE_AWAY:
        return unavailable("The database cannot be reached. Send the update again.")
    outbox.give_later(answers)
    return JsonResponse({})
