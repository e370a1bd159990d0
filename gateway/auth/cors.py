"""CORS: pages of `CORS_ALLOWED_ORIGINS` may make the calls that a person's token is for.

No credentials: the answer never allows cookies, so a page of another origin acts for the person whose token
it has, and for nobody else. API keys belong on servers: the paths that need one are not among these.
"""

import re

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from gateway.auth.origins import tokens_allowed
from gateway.codec.middleware import changing_answers
from gateway.codec.problems import problem

_OF_PERSONS = re.compile(r"/api/v1/(users/me/.+|tickets|event-groups)")
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "3600",
}
_EXPOSED = "Retry-After, Allow"


def _preflight(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a browser that asks whether a page may make a call."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not asks or not _OF_PERSONS.fullmatch(request.path_info):
        return None
    if not tokens_allowed(_origin(request)):
        detail = "CORS_ALLOWED_ORIGINS of this server does not name the origin of this page."
        refused: HttpResponse = problem("origin_not_allowed", detail)
        return refused
    return HttpResponse(status=204, headers=_ALLOWED)


def _shared(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if _OF_PERSONS.fullmatch(request.path_info):
        patch_vary_headers(response, ["Origin"])
        if tokens_allowed(_origin(request)):
            response["Access-Control-Allow-Origin"] = _origin(request)
            response["Access-Control-Expose-Headers"] = _EXPOSED
    return response


def _origin(request: HttpRequest) -> str:
    return request.headers.get("Origin", "")


# Middleware: answers preflights, and lets allowed pages read answers.
cors = changing_answers(_shared, instead=_preflight)
