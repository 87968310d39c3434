# syntax=docker/dockerfile:1

FROM python:3.13-slim AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# Without pip: what serves requests can install nothing.
RUN python -m venv --without-pip /opt/inkfold
COPY requirements-image.txt ./
RUN pip --python /opt/inkfold install --only-binary=:all: --require-hashes --requirement requirements-image.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
COPY projections projections
# Built by the locked setuptools, which is then of no more use.
RUN pip --python /opt/inkfold install --no-deps --no-build-isolation --no-index . \
    && pip --python /opt/inkfold uninstall --yes setuptools

FROM python:3.13-slim AS runtime
RUN groupadd --gid 10001 inkfold \
    && useradd --uid 10001 --gid inkfold --home-dir /srv/inkfold --no-create-home --shell /usr/sbin/nologin inkfold
COPY --from=builder /opt/inkfold /opt/inkfold
WORKDIR /srv/inkfold
ENV HOST=0.0.0.0 \
    PATH=/opt/inkfold/bin:$PATH \
    PORT=8000 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that an orchestrator can see that it is not root's.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Without a proxy: containers often inherit one, and it knows no 127.0.0.1 of this container's.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/ready', timeout=4)"]
ENTRYPOINT ["inkfold"]
CMD ["api"]
