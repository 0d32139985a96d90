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
ENV PATH=/opt/mixrelay/bin:$PATH PYTHONUNBUFFERED=1
USER 65534:65534
# Of whatever runs here: Redis answers, and its settings lose nothing.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["mixrelay", "doctor", "--redis-only"]
ENTRYPOINT ["mixrelay"]
CMD ["--help"]
