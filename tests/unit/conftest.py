"""What every unit test shares."""

import pytest


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log without OpenTelemetry's own lines.

    A transport that an earlier test shut down gives up in a thread of its own, and says so whenever
    that is: in the middle of any later test.
    """
    caplog.handler.addFilter(lambda record: not record.name.startswith("opentelemetry"))
    return caplog
