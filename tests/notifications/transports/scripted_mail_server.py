"""A mail server that gives a scripted answer to one command, and accepts everything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_DEFAULTS = {
    "GREETING": "220 scripted.test",
    "EHLO": "250 scripted.test",
    "HELO": "250 scripted.test",
    "AUTH": "235 2.7.0 OK",
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 go on",
    "DOT": "250 2.0.0 taken",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedMailServer:
    """`answers` by command; GREETING and DOT (the end of the text) are commands here too."""

    answers: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answer(writer, "GREETING")
        while line := await reader.readline():
            self.commands.append(line.decode().strip())
            verb = line[:4].decode("ascii", "replace").upper()
            self._answer(writer, verb)
            if verb == "QUIT":
                break
            if verb == "DATA" and self._reply(verb).startswith("354"):
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                self._answer(writer, "DOT")
        writer.close()

    def _reply(self, verb: str) -> str:
        return self.answers.get(verb, _DEFAULTS.get(verb, "502 5.5.2 no such command"))

    def _answer(self, writer: asyncio.StreamWriter, verb: str) -> None:
        writer.write("".join(f"{line}\r\n" for line in self._reply(verb).splitlines()).encode())


@asynccontextmanager
async def serving(server: ScriptedMailServer) -> AsyncIterator[int]:
    """Serve on a free port, and yield it."""
    listening = await asyncio.start_server(server.converse, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
