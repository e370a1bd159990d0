"""The pages for persons: login, and the inbox with the demo's panels where the demo is on."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie

from gateway.auth.bearer import person_of_session
from gateway.auth.logins import WITHIN_S, LoginForm
from gateway.codec.problems import problem
from gateway.web.samples import SAMPLES
from gateway.web.signed_out import CONTENT_SECURITY_POLICY, SignedOut


@login_required
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """Serve the inbox page; with the demo on, also samples, timeline and the simulator's log."""
    person = person_of_session(request)
    samples = [{"event_type": name, "label": name.replace("_", " ").capitalize()} for name in SAMPLES]
    config = {
        "ws_url": "/ws",
        "person": person.external_id if person else "",  # the tabs of a browser share a connection per person
        "demo": settings.TOCSIN_DEMO,
        "sandbox": bool(settings.SANDBOX_URL) and settings.TOCSIN_DEMO,
        "samples": samples if settings.TOCSIN_DEMO else [],
        "csrf_token": get_token(request),
        "admin_url": "/admin/" if request.user.is_staff else "",
        "flower_url": settings.FLOWER_URL if request.user.is_staff else "",
        "api_docs_url": "/api/v1/docs",
    }
    answer = render(request, "gateway/page.html", {"page_config": config, "person": person})
    answer["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer


@csrf_exempt
def no_such_call(request: HttpRequest) -> HttpResponse:
    """Answer a path of the API that does not exist, by any method."""
    return problem("not_found", "There is no such call; /api/v1/docs lists them.")


class Login(SignedOut, LoginView):
    """The login page; in the demo it shows the demo login."""

    template_name = "gateway/login.html"
    redirect_authenticated_user = True
    authentication_form = LoginForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, "throttled"):
            answer.status_code, answer["Retry-After"] = 429, str(int(WITHIN_S))
        return answer

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        context: dict[str, object] = super().get_context_data(**kwargs)
        if settings.TOCSIN_DEMO and settings.DEMO_PASSWORD:
            context["demo_login"] = {"username": "demo", "password": settings.DEMO_PASSWORD}
        return context
