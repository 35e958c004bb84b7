"""A flood of equal lines is one line a minute."""

import logging

from retrieval.server.quiet_log import OncePerMinute


def _record(text: str, name: str = "asyncio") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "file.py", 1, text, (), None)


def test_equal_lines_are_logged_once_and_then_counted() -> None:
    accept = "socket.accept() out of system resource\nsocket: <TransportSocket fd={}>"
    seldom = OncePerMinute()
    assert [seldom.filter(_record(accept.format(number))) for number in range(2_000)].count(True) == 1
    assert seldom.filter(_record("another line"))

    often = OncePerMinute(every_s=0)
    often._seen[("asyncio", "out of files", None, 0)] = (0.0, 1_999)
    later = _record("out of files")
    assert often.filter(later) and later.getMessage() == "out of files (1,999 more of these before)"


def test_two_errors_of_different_places_are_both_logged() -> None:
    def failed(number: int) -> logging.LogRecord:
        record = _record("Exception in ASGI application\n")
        try:
            if number:
                raise ValueError(number)
            raise ValueError(number)
        except ValueError as error:
            record.exc_info = (ValueError, error, error.__traceback__)
        return record

    seldom = OncePerMinute()
    assert [seldom.filter(failed(number)) for number in (0, 1, 0)] == [True, True, False]
