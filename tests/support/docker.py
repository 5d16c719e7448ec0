"""Whether a Docker engine answers and has, or can pull, the images the tests need."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import warnings

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # each test ends its own containers


@functools.cache
def why_not() -> str | None:
    """None if containers can be used, else the reason in words."""
    if os.environ.get("SVITLO_TEST_DOCKER") == "0":
        return "switched off by SVITLO_TEST_DOCKER=0"
    import docker  # type: ignore[import-untyped]
    from docker.errors import DockerException  # type: ignore[import-untyped]

    from tests.support.broker import MOSQUITTO_IMAGE
    from tests.support.postgres import POSTGRES_IMAGE

    client = None
    with contextlib.suppress(DockerException):
        client = docker.from_env(timeout=20)
    if client is None:
        with warnings.catch_warnings():
            # The docker package drops the socket it failed to connect, unclosed.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        return "no Docker engine answers"
    try:
        for image in (MOSQUITTO_IMAGE, POSTGRES_IMAGE):
            try:
                client.images.get(image)
            except DockerException:
                client.images.pull(image)
    except DockerException as error:
        return f"the engine answers, but its images can neither be found nor pulled ({type(error).__name__})"
    finally:
        client.close()
    return None
