"""Whatever is posted to a hook of whatever format is accepted, known already, or in the quarantine."""

import json
from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.codec.limits import InvalidEvent
from gateway.ingress.hooks import HookAnswer, HookRequest, http_answer, take
from gateway.normalizers.base import Received
from gateway.normalizers.registry import NORMALIZERS
from notifications.models import Event, Quarantine
from tests.gateway.normalizers import test_alerts as alerts
from tests.gateway.normalizers import test_declared as declared
from tests.gateway.normalizers import test_exchanges as exchanges
from users import hooks
from users.models import Account, Hook, Source, User

ANN = {"to": {"user_id": "ann"}}
SAMPLES = {
    "alertmanager": (ANN, alerts.group(alerts.LATENCY, alerts.resolved(alerts.OTHER))),
    "grafana": (ANN, alerts.GRAFANA_BODY),
    "cloudevents": (ANN, declared.EVENT),
    "json": (ANN | {"event_type": "{kind}", "payload": "{data}"}, {"kind": "a.b", "data": {"n": 1.50}}),
    "settlement": ({}, exchanges.TRADE),
    "event-system": (ANN, exchanges.SIGNAL),
    "trading-bus": (ANN, {"event_id": "1", "event_type": "norm.x", "observed_at": 1, "payload": {"a": {}}}),
    "binance": ({"account": "1001"}, exchanges.FILLED),
    "bybit": ({"account": "1001"}, {"topic": "order", "data": [exchanges.BYBIT_ORDER]}),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(
        ["", "\0", "\ud800", "9" * 5_000, "1e999", "NaN", "0001-01-01T00:00:00Z", "²", "x" * 20_000]
    ),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([[{}]]),
)


def test_every_format_has_a_sample() -> None:
    assert SAMPLES.keys() == NORMALIZERS.keys()


def places(value: object, path: tuple = ()):
    """Yield the path of every value inside."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


@st.composite
def bodies(draw, sample: object) -> bytes:
    """Return a sample with up to three odd values, or its beginning, or any bytes."""
    changed = deepcopy(sample)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(places(changed))))
        if not path:
            changed = deepcopy(draw(ODD))
            continue
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = deepcopy(draw(ODD))
    whole = json.dumps(changed).encode()
    return draw(
        st.sampled_from([whole, whole, whole, whole[: len(whole) // 2], draw(st.binary(max_size=20))])
    )


def media_type(name: str) -> str:
    return "application/cloudevents+json" if name == "cloudevents" else "application/json"


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_format_reads_it_or_says_why_not(name: str, data) -> None:
    options, sample = SAMPLES[name]
    form = NORMALIZERS[name]
    body = data.draw(bodies(sample))
    try:
        form.read(Received(body, media_type(name), options=form.check_options(options), now_ms=1))
    except InvalidEvent as refused:
        assert refused.code
        assert refused.detail


@pytest.fixture
def source(transactional_db) -> Source:
    source = Source.objects.create(name="venue")
    ann = User.objects.create_user("ann", external_id="ann")
    for account in ("1001", "1002"):
        Account.objects.create(source=source, account=account, person=ann)
    return source


@given(data=st.data())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_it_is_accepted_or_known_or_kept_and_never_an_error_of_ours(source: Source, data) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    options, sample = SAMPLES[name]
    body = data.draw(bodies(sample))
    token = hooks.issue(Hook(source=source, normalizer=name, options=options))
    [answer] = take([HookRequest(name, token, body, media_type(name))])
    assert isinstance(answer, HookAnswer)
    assert http_answer(answer).status_code < 500
    assert answer.acks or name == "binance"
    for ack in answer.acks:
        is_id = "\0" not in ack.event_id and ack.event_id.isprintable()
        stored = is_id and Event.objects.filter(event_id=ack.event_id, source=source).exists()
        assert stored or Quarantine.objects.get(pk=answer.quarantine_id).content == body, ack
    if answer.error is not None:
        assert answer.error.code != "normalizer_failed"
