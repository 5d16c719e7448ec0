# One image for every service; the command chooses which: docker run svitlo detector.

FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml requirements.lock ./
# The lock holds development tools too. As a constraint it pins, with hashes, just what running needs.
RUN pip install --no-cache-dir --root-user-action=ignore "$(grep -o '^uv==[0-9.]*' requirements.lock)" \
    && uv venv /opt/svitlo \
    && uv pip install --python /opt/svitlo --require-hashes --constraint requirements.lock --requirement pyproject.toml
COPY README.md LICENSE ./
COPY svitlo svitlo
COPY services services
COPY firmware firmware
COPY broker broker
RUN uv build --wheel --require-hashes --build-constraint requirements.lock --out-dir /tmp/dist \
    && uv pip install --python /opt/svitlo --no-deps /tmp/dist/*.whl

FROM python:3.13-slim
ARG VERSION=dev
LABEL org.opencontainers.image.title="svitlo" \
      org.opencontainers.image.description="A power-outage monitor: boards in the mains, MQTT, alerts in seconds" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
ENV PATH=/opt/svitlo/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin svitlo
COPY --from=build /opt/svitlo /opt/svitlo
USER 10001:10001
ENTRYPOINT ["svitlo"]
CMD ["--help"]
