"""The end of a server that listens in the caller's event loop."""

import asyncio


async def stop_listening(*listeners: asyncio.Server) -> None:
    """Accept nothing more and close the listeners; what was accepted, however lately, is among their clients then.

    A connection gets its transport a tick of the loop after it was accepted. A listener that is closed between the two
    ticks never ends that transport: the collector finds it one day, and complains.
    """
    loop = asyncio.get_running_loop()
    for listener in listeners:
        for listening in listener.sockets:
            loop.remove_reader(listening.fileno())
    await asyncio.sleep(0)
    for listener in listeners:
        listener.close()
