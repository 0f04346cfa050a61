"""Why the dashboard cannot begin, in a sentence: where its home, its database or its store cannot be used as they are."""

from __future__ import annotations

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.outages import outage

__all__ = ["TellsWhyItCannotBegin"]


class TellsWhyItCannotBegin:
    """Say to the server what the machine lacks, as the command line does, in the place of a traceback; all else goes by."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's beginning and end."""

        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                # It is sent while what was raised is being handled.
                error = sys.exception()
                said = outage(error) if error is not None else None
                if said is not None:
                    message = {**message, "message": said}
            await send(message)

        await self.app(scope, receive, tell if scope["type"] == "lifespan" else send)
