"""Ends the API or the worker when its `inkfold up` is gone, where the kernel does not do that (macOS)."""

import os
import signal
import sys
import threading
import time

_LOOK_SECONDS = 1.0


def end_with_up() -> None:
    """Send ourselves SIGTERM once the `inkfold up` that started us has ended; nothing to do without one."""
    parent = os.environ.get("INKFOLD_UP")
    if parent and sys.platform != "linux":
        threading.Thread(target=_follow, args=(int(parent),), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
