FROM python:3.13-slim

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY producer producer
COPY worker worker
COPY shared shared
COPY console console
COPY sandbox sandbox
RUN pip install --no-cache-dir '.[console]'
COPY examples examples

USER nobody
CMD ["mixrelay", "--help"]
