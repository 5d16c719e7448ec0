"""The MQTT client of the boards, fetched once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from svitlo.simulator.micropython import MicroPythonUnavailable, UmqttSource, umqtt_path


@pytest.fixture(scope="session")
def umqtt(tmp_path_factory: pytest.TempPathFactory) -> UmqttSource:
    cache: Path = tmp_path_factory.mktemp("umqtt")
    try:
        return umqtt_path(cache)
    except MicroPythonUnavailable as error:
        pytest.skip(str(error))
