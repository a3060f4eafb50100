"""How every executable of ops runs: one place that turns failures and signals into words and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from .failure import Failure
from .interrupts import Interrupts, Stopped
from .progress import Progress

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130


def run(main: Callable[[Progress], int]) -> None:
    """Runs `main` and exits with its code; 1 with a reason when it fails, 130 when it was interrupted."""
    progress = Progress(Interrupts())
    try:
        code = main(progress)
    except Failure as failure:
        progress.say(failure.report())
        code = EXIT_FAILURE
    except Stopped:
        code = EXIT_INTERRUPTED
    sys.exit(code)
