"""The AsyncAPI document of the WebSocket, as docs/asyncapi.yaml has it."""

from django.conf import settings
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET


@require_GET
def document(request: HttpRequest) -> HttpResponseBase:
    path = settings.BASE_DIR / "docs" / "asyncapi.yaml"
    return FileResponse(path.open("rb"), content_type="application/yaml")
