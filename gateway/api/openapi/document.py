"""The OpenAPI document: what ninja knows of the calls, and what is the same for all of them."""

from copy import deepcopy
from functools import cache
from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from pydantic import TypeAdapter

from gateway.api.openapi import publishing
from gateway.codec.problems import Problem

_DESCRIPTION = """Publish events, and learn what became of them.

Errors are RFC 9457 problem documents with a machine-readable `code`; see docs/api.md for all codes.

Live sessions have an [AsyncAPI document](/api/v1/asyncapi.yaml).
"""
_INFO = {"license": {"name": "MIT", "identifier": "MIT"}, "contact": {"name": "The operator of this service"}}

_KEY: dict[str, list[str]] = {"SourceKey": []}
_PERSON: list[dict[str, list[str]]] = [{"PersonToken": []}, {"Session": []}]
_CALLERS = {
    "KeyOrPerson": [_KEY, *_PERSON],
    "PeopleKey": [_KEY],
    "SourceKey": [_KEY],
    "OnlyPerson": _PERSON,
    "HookToken": [{"HookToken": []}, {}],
}
_SCHEMES = {
    "SourceKey": {"type": "http", "scheme": "bearer", "description": "The API key of a source: `tsn_…`"},
    "HookToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A hook's token, `hook_…`; it may stand in the path",
    },
    "PersonToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A person's token",
    },
    "Session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A person's browser session; what changes something needs X-CSRFToken too",
    },
}

_TAGS = {
    "accounts": "Which accounts of other systems are whose",
    "hooks": "Where other systems post, in their own format",
    "quarantine": "What could not be accepted",
    "events": "Publish events, and learn what became of them",
    "users": "People: their addresses, wishes, topics and inbox",
    "event-groups": "Groups of event types",
    "erasures": "Erasing people",
    "keys": "A source's own API keys",
    "callback": "Where a source has the final acks of its events posted to",
    "tickets": "Signing in on the WebSocket",
    "templates": "Stored wordings of messages",
}


class Api(NinjaAPI):
    """With what `gateway/ingress/http.py` answers, before Django, in the document."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, *, path_prefix: str | None = None, **how: Any) -> OpenAPISchema:
        """Return the document, which is made once: anybody may ask for it."""
        prefix = self.get_root_path(how.get("path_params") or {}) if path_prefix is None else path_prefix
        return self._document(prefix)

    @cache  # noqa: B019  there is one API in a process
    def _document(self, prefix: str) -> OpenAPISchema:
        document = super().get_openapi_schema(path_prefix=prefix)
        for path, operation in deepcopy(publishing.CALLS).items():
            document["paths"].setdefault(path, {})["post"] = operation
        for path, item in document["paths"].items():
            for operation in item.values():
                _complete(path, operation)
        schemas = document["components"]["schemas"]
        schemas |= _components(Problem, *publishing.ANSWERS)
        document["paths"] = _with_references(document["paths"], schemas)
        document["components"] = {"schemas": _with_references(schemas, schemas), "securitySchemes": _SCHEMES}
        return document


def api() -> Api:
    tags = [{"name": name, "description": text} for name, text in _TAGS.items()]
    extra = {"info": _INFO, "tags": tags}
    servers = [{"url": "/", "description": "This service"}]
    return Api(
        title="Tocsin",
        version="1",
        description=_DESCRIPTION,
        docs_url="/docs",
        servers=servers,
        openapi_extra=extra,
    )


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add the tag, the ways to sign in and the refusals of a call."""
    first = path.removeprefix("/api/v1/").split("/")[0]
    operation["tags"] = [first if first in _TAGS else f"{first}s"]
    [caller] = operation.get("security") or [{"OnlyPerson": []}]
    operation["security"] = _CALLERS[next(iter(caller))]
    responses = operation["responses"]
    for status in _refusals(path, operation):
        responses.setdefault(status, {"description": HTTPStatus(status).phrase})
    for status in [*responses]:
        if int(status) >= 400:
            schema = {"$ref": "#/components/schemas/Problem"}
            content = {"application/problem+json": {"schema": schema}}
            responses[status] = {
                **responses[status],
                "content": responses[status].get("content", {}) | content,
            }
            responses[status]["content"].pop("application/json", None)


def _refusals(path: str, operation: dict[str, Any]) -> set[int]:
    """Return the statuses with which such a call may be refused, besides those that it declares."""
    always = {400, 401, 403, 429, 500, 503}
    found = {404} if "{" in path or "event_id" in str(operation.get("parameters")) else set()
    given = {422} if operation.get("parameters") or "requestBody" in operation else set()
    body = {408, 413, 415} if "requestBody" in operation else set()
    return always | found | given | body


def _components(*types: type) -> dict[str, Any]:
    """Return the schemas of these typed dictionaries, and of what they contain, by name."""
    inputs: Any = [(name, "serialization", TypeAdapter(name)) for name in types]
    _, schema = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    found: dict[str, Any] = schema["$defs"]
    return found


def _with_references(node: Any, schemas: dict[str, Any]) -> Any:
    """Return a part of the document with references to the named objects, which go to `schemas`."""
    if isinstance(node, list):
        return [_with_references(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _with_references(value, schemas) for key, value in [*node.items()]}
    if not isinstance(found.get("title"), str):  # a property may be called title, too
        return found
    name = found.pop("title")
    if "properties" not in found or node is schemas.get(name):
        return found
    schemas[name] = found
    return {"$ref": f"#/components/schemas/{name}"}
