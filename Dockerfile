# Pin both images for a deployment, so that a build of today is a build of next year:
#   docker build --build-arg PYTHON_DIGEST=@sha256:… .
# (docker buildx imagetools inspect python:3.13-slim-bookworm says which it is now.)
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
ARG PYTHON_DIGEST=

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST} AS build
WORKDIR /app
# First what changes rarely: the dependencies, in the versions that the tests ran with.
COPY pyproject.toml requirements-dev.txt README.md LICENSE ./
COPY deploy/image/dependencies.py deploy/image/
RUN python -m venv --without-pip /opt/mixrelay \
 && python deploy/image/dependencies.py console fast > wanted.txt \
 && pip --python /opt/mixrelay/bin/python install --no-cache-dir --no-compile \
      --constraint requirements-dev.txt --requirement wanted.txt
COPY producer producer
COPY worker worker
COPY shared shared
COPY console console
COPY sandbox sandbox
# Compiled here, since nothing can be written where it runs; by content, so that times do not matter.
RUN pip --python /opt/mixrelay/bin/python install --no-cache-dir --no-compile --no-deps . \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/mixrelay

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST}
COPY --from=build /opt/mixrelay /opt/mixrelay
COPY examples /app/examples
WORKDIR /app
ENV PATH=/opt/mixrelay/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MIXRELAY_HEALTH_FILE=/tmp/mixrelay.alive
USER 65534:65534
# Of this container's own worker, and cheap: its loops touch the file. Nothing else writes it, and
# the dashboard has a check of its own (docker-compose.yml).
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["sh", "-c", "test ! -e \"$MIXRELAY_HEALTH_FILE\" || test -n \"$(find \"$MIXRELAY_HEALTH_FILE\" -mmin -1)\""]
# As process 1 the command passes signals on and reaps orphans itself: no other init is needed.
ENTRYPOINT ["mixrelay"]
CMD ["--help"]
