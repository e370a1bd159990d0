"""A TCP proxy that stands before a server and fails on request, without root and without `tc`."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

HOST = "127.0.0.1"


class Proxy:
    """Forwards bytes between its own port and the target's. Thread-safe; ends with `close`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._delay_s = 0.0
        self._refusing = False
        self.cut_answer_to = b""  # a connection that asks this is cut when the answer comes
        self.cuts = 0
        self.filter: Callable[[], Callable[[bytes], bytes]] | None = None  # of a new connection's answers
        started = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, args=(started,), name="proxy", daemon=True)
        self._thread.start()
        started.wait(5)

    # --- faults -----------------------------------------------------------------------------------------
    def delay(self, seconds: float) -> None:
        self._delay_s = seconds

    def black_hole(self) -> None:
        """Take connections and bytes, and let nothing through."""
        self._call(self._open.clear)

    def refuse(self) -> None:
        """Reset every connection, the present and the coming ones."""
        self._refusing = True
        self._call(self._abort_all)

    def reset(self) -> None:
        """Reset the present connections once."""
        self._call(self._abort_all)

    def heal(self) -> None:
        self._delay_s, self._refusing, self.cut_answer_to = 0.0, False, b""
        self._call(self._open.set)

    def close(self) -> None:
        self._call(self._abort_all)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    # --- inside the loop --------------------------------------------------------------------------------
    def _call(self, function: Callable[[], Any]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(), done.set()))
        done.wait(5)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection(HOST, self._target_port)
            self._writers.add(upstream)
            asked = asyncio.Event()
            pumps = [
                self._pump(reader, upstream, asked, answer=False),
                self._pump(answers, writer, asked, answer=True),
            ]
            await asyncio.wait(
                [asyncio.ensure_future(pump) for pump in pumps], return_when=asyncio.FIRST_COMPLETED
            )
        except OSError:
            pass
        finally:
            for side in (writer, upstream):
                if side is not None:
                    self._writers.discard(side)
                    side.transport.abort() if self._refusing else side.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: asyncio.Event,
        *,
        answer: bool,
    ) -> None:
        passing = self.filter() if answer and self.filter is not None else None
        try:
            while data := await reader.read(65_536):
                await self._open.wait()
                if answer and asked.is_set():
                    self.cuts += 1
                    return
                if not answer and self.cut_answer_to and self.cut_answer_to in data:
                    asked.set()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(passing(data) if passing is not None else data)
                await writer.drain()
        except OSError:
            return
