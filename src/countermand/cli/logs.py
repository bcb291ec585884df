"""The log: one line an event, on standard error, for people or for machines.

A line that cannot be written is counted, and stops nothing.
"""

import logging
import sys
from functools import partial

import structlog
from structlog.typing import Processor

from countermand.cli.lines import as_json, as_text, line_by_line
from countermand.cli.streams import LossyStream
from countermand.gateway import telemetry
from countermand.settings import LogFormat, LogLevel


def configure_logs(form: LogFormat, level: LogLevel) -> None:
    """Sends our events, and those of the libraries from a warning on, through the same last step."""
    for name, stream in (("stderr", sys.stderr), ("stdout", sys.stdout)):
        _count_losses(name, stream)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        last: Processor = line_by_line(structlog.processors.JSONRenderer(), as_json)
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        last = line_by_line(console, as_text)
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    # A pool that opens a connection anew tells of each failure with a traceback. Who asks for one says it in a line.
    logging.getLogger("asyncpg.pool").setLevel(logging.CRITICAL)
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def _count_losses(name: str, stream: object) -> None:
    if isinstance(stream, LossyStream):
        telemetry.output_lines_lost(name, stream.lost)
        stream.on_loss = partial(telemetry.output_lines_lost, name)
