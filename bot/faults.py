"""What the log may know of a fault: its type and its place. Its message may repeat a tenant's words, so it is left out."""

import traceback
from pathlib import PurePath


def of(error: BaseException) -> dict[str, str]:
    """Fields for a log line: `error`, the exception's type, and `place`, the last five files and lines it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    place = " < ".join(f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return {"error": type(error).__name__, "place": place}
