"""Lua scripts in `.lua` files, called by digest (EVALSHA); the text is sent only if the server lacks it.

redis-py's `register_script` is not used: it adds a round trip to every pipeline to see whether the server
knows the script.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

Arguments = tuple[Sequence[str], Sequence[Any]]  # KEYS and ARGV


class Script:
    """One script.

    Example: `Script(Path(__file__).with_name("gcra.lua"))(client(), keys, args)`.
    """

    def __init__(self, path: Path) -> None:
        self._text = path.read_text()
        self._sha = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: "redis.Redis", keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it once. Raises: `RedisError`."""
        try:
            return client.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self._text, len(keys), *keys, *args)

    def run_last(self, pipe: Pipeline, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it once after the commands of `pipe`, in the same round trip. Raises: `RedisError`."""
        pipe.evalsha(self._sha, len(keys), *keys, *args)
        *_, answer = pipe.execute(raise_on_error=False)
        if isinstance(answer, NoScriptError):
            pipe.eval(self._text, len(keys), *keys, *args)
            [answer] = pipe.execute(raise_on_error=False)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_many(self, client: "redis.Redis", calls: Iterable[Arguments]) -> list[Any]:
        """Run it once for each of `calls`, in order, in one round trip; in two after a server's restart.

        Raises: `RedisError`.
        """
        pipe = client.pipeline(transaction=False)
        asked = list(calls)
        for keys, args in asked:
            pipe.evalsha(self._sha, len(keys), *keys, *args)
        answers: list[Any] = pipe.execute(raise_on_error=False)
        missed = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        for index in missed:
            keys, args = asked[index]
            pipe.eval(self._text, len(keys), *keys, *args)
        for index, answer in zip(missed, pipe.execute(raise_on_error=False), strict=True):
            answers[index] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers
