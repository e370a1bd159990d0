"""Every error where programs call is a problem document, also one that Django or ninja answers by itself."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gateway.codec.middleware import changing_answers
from gateway.codec.problems import problem

_CODES = {
    400: ("bad_request", "The request is malformed, or its host is not one of this service."),
    403: ("forbidden", "This is not allowed; with a browser session, send the CSRF token in X-CSRFToken."),
    404: ("not_found", "There is no such call; /api/v1/docs lists them."),
    405: ("method_not_allowed", "The header Allow lists the methods of this path."),
    500: ("internal", "Our fault, and logged. Try again later."),
}
_FOR_PROGRAMS = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")


def _as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    code, detail = _CODES.get(response.status_code, ("", ""))
    is_page = "json" not in response.get("Content-Type", "")
    if not code or not is_page or not request.path_info.startswith(_FOR_PROGRAMS):
        return response
    headers = {"Allow": response["Allow"]} if response.has_header("Allow") else {}
    replaced: HttpResponse = problem(code, detail, status=response.status_code, headers=headers)
    return replaced


# Middleware: replaces error pages where programs call.
problem_documents = changing_answers(_as_problem)
