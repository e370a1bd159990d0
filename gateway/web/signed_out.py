"""Pages for people who are not signed in: in the language that their browser asks for."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.generic import View

from notifications.rendering.locales import languages, speaking
from users.locales import DEFAULT, fallbacks

# Scripts and styles come from this origin only; nothing is inline. Images of events come from the hosts that
# their sources may link to; the server drops all others from a frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def language_of_request(request: HttpRequest) -> str:
    """Return the first language of `Accept-Language` that has a catalogue."""
    for wish, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "").lower()):
        found = next((tag for tag in fallbacks(wish)[:-1] or fallbacks(wish) if tag in languages()), None)
        if found:
            return found
    return DEFAULT


class SignedOut(View):
    """Mixed into Django's views of accounts."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = language_of_request(request)
        with speaking(language):
            answer = super().dispatch(request, *args, **kwargs)
            if isinstance(answer, TemplateResponse):
                answer.context_data = {**(answer.context_data or {}), "lang": language}
                answer.render()  # now: its sentences are those of this language
        answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return answer
