"""Where the HTTP load comes from: `wrk` where it is installed, else our own client."""

from typing import Final

from loadtests.bench import client, wrk
from loadtests.bench.figures import LineFailedError, Load, Rate

NAME: Final = "wrk" if wrk.installed() else "asyncio client"


async def send(load: Load, *, warming: bool = False) -> Rate:
    """Send a load; raises LineFailedError when a single request failed, or none was answered: there is no figure then.

    While `warming` it may be that none was answered.
    """
    await client.ask(load, load.first)
    rate = await (wrk.run(load) if wrk.installed() else client.run(load))
    if rate.failed:
        raise LineFailedError(f"{rate.failed} of {rate.requests} requests to {load.paths[0]} and the like failed.")
    if not rate.requests and not warming:
        raise LineFailedError(
            f"Not one request to {load.paths[0]} and the like was answered within {load.seconds:g} s."
        )
    return rate
