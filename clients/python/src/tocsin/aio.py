"""The publisher for asyncio. The same engine: nothing here blocks the loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Callable, List, Optional, Tuple, Type

from tocsin.acks import Ack
from tocsin.engine import Engine, Status, Written
from tocsin.events import Event
from tocsin.options import DEFAULT_JOURNAL, PathOrNone
from tocsin.publisher import EventPublisher, Taken, write
from tocsin.telling import OnAck
from tocsin.verbs import Verbs
from tocsin.waiting import LOOK_EVERY_S


class AsyncPublished(Taken):
    """One event that was taken. `await` its `wait_final`."""

    async def wait_final(self, timeout: float = 30.0) -> Ack:
        """Return the final ack. Raises: `NotFinal` after so many seconds; the event goes on."""
        return await wait_final(self._engine, self.event_id, timeout)


class AsyncEventPublisher(Verbs[Coroutine[Any, Any, AsyncPublished]]):
    """`EventPublisher` for asyncio: open it with `async with`, in the loop that uses it.

    The arguments and the guarantee are those of `EventPublisher`. Events that are published at the same time
    share one write to the disk. `on_ack` may be a coroutine function; it runs in this loop.
    """

    def __init__(
        self,
        url: str = "",
        *,
        key: str = "",
        source: str = "",
        journal: PathOrNone = DEFAULT_JOURNAL,
        on_ack: Optional[OnAck] = None,
        wait_for_disk: bool = True,
        max_events: int = 100_000,
        block_s: float = 30.0,
        timeout_s: float = 30.0,
    ) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._sync: Optional[EventPublisher] = None
        self._block_s = block_s
        self._writer: Optional[asyncio.Task[None]] = None
        self._to_write: List[Tuple[List[Written], asyncio.Future[None]]] = []
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-write")
        self._open: Callable[[], EventPublisher] = lambda: EventPublisher(
            url,
            key=key,
            source=source,
            journal=journal,
            on_ack=self._in_loop(on_ack) if on_ack is not None else None,
            wait_for_disk=wait_for_disk,
            max_events=max_events,
            block_s=block_s,
            timeout_s=timeout_s,
        )

    def _in_loop(self, on_ack: OnAck) -> OnAck:
        async def call(ack: Ack) -> None:
            result = on_ack(ack)
            if inspect.isawaitable(result):
                await result

        def tell(ack: Ack) -> None:
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(call(ack), self._loop).result()

        return tell

    async def start(self) -> AsyncEventPublisher:
        """Open the journal, and go on with what is in it. `async with` calls this."""
        if self._sync is None:
            self._loop = asyncio.get_running_loop()
            self._sync = await self._loop.run_in_executor(self._executor, self._open)
        return self

    # --- publishing -------------------------------------------------------------------------------------
    async def publish(self, event: Event) -> AsyncPublished:
        """Publish one event; return once it is in the journal. Raises as `EventPublisher.publish`."""
        return (await self.publish_many([event]))[0]

    async def publish_many(self, many: Sequence[Event]) -> List[AsyncPublished]:
        """Publish events, all or none. Raises as `EventPublisher.publish`."""
        await self.start()
        assert self._sync is not None
        engine, written = self._sync._engine(), [write(event) for event in many]
        await self._write(engine, written)
        return [AsyncPublished(one.event, engine) for one in written]

    async def _write(self, engine: Engine, written: List[Written]) -> None:
        """Write with all that others write in the meantime: one call of the thread for all of them."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._to_write.append((written, mine))
        if self._writer is None:
            self._writer = loop.create_task(self._write_all(engine))
        await mine

    async def _write_all(self, engine: Engine) -> None:
        """Write until nothing waits; a task of its own, as who publishes may be cancelled."""
        while self._to_write:
            batch, self._to_write = self._to_write, []
            await self._write_batch(engine, batch)
        self._writer = None

    async def _write_batch(
        self, engine: Engine, batch: List[Tuple[List[Written], asyncio.Future[None]]]
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            together = [one for written, _ in batch for one in written]
            await loop.run_in_executor(self._executor, self._put, engine, together)
        except Exception as error:
            if len(batch) == 1:
                _set(batch[0][1], error)
                return
            for one in batch:  # one must not spoil the others
                await self._write_batch(engine, [one])
        else:
            for _, future in batch:
                _set(future, None)

    def _put(self, engine: Engine, written: List[Written]) -> None:
        engine.put(written, timeout_s=self._block_s)

    # --- what becomes of them ---------------------------------------------------------------------------
    async def wait_final(self, event_id: str, timeout: float = 30.0) -> Ack:
        """Return the final ack of an event of this journal. Raises: `NotFinal`."""
        await self.start()
        assert self._sync is not None
        return await wait_final(self._sync._engine(), event_id, timeout)

    async def flush(self, timeout: float = 30.0) -> bool:
        """Wait until every event has its final ack; return whether that is so."""
        sync = (await self.start())._sync
        assert sync is not None
        return await asyncio.get_running_loop().run_in_executor(None, sync.flush, timeout)

    async def status(self) -> Status:
        """Return how many events wait, and why."""
        sync = (await self.start())._sync
        assert sync is not None
        return await asyncio.get_running_loop().run_in_executor(None, sync.status)

    # --- the end ----------------------------------------------------------------------------------------
    async def aclose(self, timeout: float = 5.0) -> int:
        """Send what waits, and end; return how many events have no final ack. They stay in the journal."""
        if self._sync is None:
            return 0
        left = await asyncio.get_running_loop().run_in_executor(None, self._sync.close, timeout)
        self._executor.shutdown(wait=False)
        return left

    async def __aenter__(self) -> AsyncEventPublisher:
        return await self.start()

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.aclose()


async def wait_final(engine: Engine, event_id: str, timeout_s: float) -> Ack:
    """Return the final ack of an event once it is here. Raises: `NotFinal`, `Closed`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    came = asyncio.Event()

    def call() -> None:
        loop.call_soon_threadsafe(came.set)

    engine.waiters.add(event_id, call)
    try:
        while (ack := engine.final(event_id)) is None:
            left_s = deadline - loop.time()
            if left_s <= 0 or engine.closed:
                raise engine.not_final(event_id)
            try:
                await asyncio.wait_for(came.wait(), min(left_s, LOOK_EVERY_S))
            except asyncio.TimeoutError:
                continue
            came.clear()
        return ack
    finally:
        engine.waiters.remove(event_id, call)


def _set(future: asyncio.Future[None], error: Optional[Exception]) -> None:
    if future.done():  # who waited has been cancelled
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
