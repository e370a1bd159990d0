"""What the scenarios of the edge share: credentials of all kinds, and where secrets must not be found."""

import secrets
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from config.env import ROOT
from sandbox.system.start import free_port
from tests.faults.stage import Stage
from tests.kit.processes import Child, answers


def port_of(stage: Stage) -> int:
    port = urlsplit(stage.system.url).port
    assert port is not None
    return port


def manage(stage: Stage, *words: str) -> list[str]:
    """Run a module with the system's environment; return what it prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=stage.system.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def sessions(stage: Stage, *persons: str) -> list[str]:
    return manage(stage, "tests.faults.browser", *persons)


def key(stage: Stage, *scopes: str) -> str:
    return manage(stage, "tests.faults.issue_key", *scopes)[-1]


def person_of(stage: Stage, name: str) -> int:
    return int(stage.system.query("SELECT id FROM users_user WHERE external_id = %s", name)[0][0])


def canary(what: str) -> str:
    """Return a unique text that can be searched for."""
    return f"canary-{what}-{secrets.token_hex(12)}"


def published(stage: Stage, person: str, count: int, *, secret: str = "") -> list[str]:
    """Publish NORMAL events for the page alone, with a secret in their payloads; return their ids."""
    items = stage.items(count, priority="NORMAL")
    for item in items:
        item |= {"user_id": person, "delivery": {"priority": "NORMAL", "channels": ["WEB", "EMAIL"]}}
        item["payload"] = {**item["payload"], "note": secret}
    stage.produce(items, batch=1).join(60)
    ids = [item["event_id"] for item in items]
    stage.expect_dead("no_channel", ids)  # no page is open, and not everybody has a mailbox
    return ids


def call(stage: Stage, method: str, path: str, bearer: str, **how: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {bearer}"} | how.pop("headers", {})  # type: ignore[operator]
    url = f"{stage.system.url}/api/v1{path}"
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=20, **how)  # type: ignore[arg-type]


def logs(stage: Stage) -> list[Path]:
    return sorted((stage.system.home / "logs").glob("*.log"))


def judge_secrets(stage: Stage, secrets_: list[str], answers: list[str]) -> None:
    """Look for each secret in every log, and in the answers to clients that must not know it."""
    found = [path.name for path in logs(stage) for text in [path.read_text(errors="replace")]
             if any(secret in text for secret in secrets_)]  # fmt: skip
    told = sum(any(secret in answer for secret in secrets_) for answer in answers)
    stage.figure("logs with a secret in them", ", ".join(found) or 0, limit="0", holds=not found)
    stage.figure("answers with a secret in them", told, limit="0", holds=not told)


def judge_calm(stage: Stage) -> None:
    """The gateway neither ended nor logged a traceback."""
    web = stage.system.supervisor.children["web"]
    tracebacks = sum(web.log_text().count(word) for word in ("Traceback (most recent", '"exception"'))
    stage.figure("ends of the gateway", len(web.ends), limit="0", holds=not web.ends)
    stage.figure("tracebacks in its log", tracebacks, limit="0", holds=not tracebacks)


def another_gateway(stage: Stage) -> tuple[Child, int]:
    """Start one more gateway process beside the first; return it and its port."""
    web, port = stage.system.supervisor.children["web"], free_port(0)
    command = [str(port) if word == str(port_of(stage)) else word for word in web.command]
    log = stage.system.home / "logs" / "web2.log"
    child = stage.system.supervisor.add(Child("web2", command, dict(web.environment), log))
    url = f"http://127.0.0.1:{port}/healthz"
    stage.until(lambda: answers(url), within_s=30, what="the second gateway answers")
    return child, port
