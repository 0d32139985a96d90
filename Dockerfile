FROM python:3.13-slim AS build
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY producer producer
COPY worker worker
COPY shared shared
COPY console console
COPY sandbox sandbox
RUN python -m venv /opt/mixrelay && /opt/mixrelay/bin/pip install --no-cache-dir '.[console,fast]'

FROM python:3.13-slim
COPY --from=build /opt/mixrelay /opt/mixrelay
COPY examples /app/examples
WORKDIR /app
ENV PATH=/opt/mixrelay/bin:$PATH PYTHONUNBUFFERED=1 MIXRELAY_HEALTH_FILE=/tmp/mixrelay.alive
USER 65534:65534
# Of this container's own worker, and cheap: its loops touch the file. Nothing else writes it, and
# the dashboard has a check of its own (docker-compose.yml).
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["sh", "-c", "test ! -e \"$MIXRELAY_HEALTH_FILE\" || test -n \"$(find \"$MIXRELAY_HEALTH_FILE\" -mmin -1)\""]
# As process 1 the command passes signals on and reaps orphans itself: no other init is needed.
ENTRYPOINT ["mixrelay"]
CMD ["--help"]
