"""What threads hand to the loop that sends pages: all of it is done, in order, whatever fails in between."""

import asyncio
import threading

from dashboard.messages import Gathered


def test_what_many_threads_hand_over_is_done_once_each_in_the_order_of_each() -> None:
    done: list[tuple[int, int]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)
        gathered = Gathered(loop)
        finished = asyncio.Event()

        def one(thread: int, number: int) -> None:
            done.append((thread, number))
            if len(done) == 4 * 500:
                finished.set()
            if number % 50 == 0:
                raise ValueError("one that fails")

        def work(thread: int) -> None:
            for number in range(500):
                gathered.hand_over(lambda number=number: one(thread, number))  # type: ignore[misc]

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(finished.wait(), 30)
        for thread in threads:
            thread.join()

    asyncio.run(run())
    for thread in range(4):
        assert [number for by, number in done if by == thread] == list(range(500))
