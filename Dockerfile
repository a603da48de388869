# Muster as a container image: docs/install.md, "A container". BASE: any image with Python 3.11 or newer on glibc.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements*.txt ./
RUN python3 -m venv /opt/muster \
    && /opt/muster/bin/python -m pip install --no-cache-dir --only-binary=:all: --require-hashes -r requirements.txt -r requirements-ldap.txt
RUN python3 -m venv /opt/hatch \
    && /opt/hatch/bin/python -m pip install --no-cache-dir --only-binary=:all: --require-hashes -r requirements-build.txt
COPY . .
RUN /opt/hatch/bin/python -m hatchling build --target wheel \
    && /opt/muster/bin/python -m pip install --no-cache-dir --no-deps dist/*.whl \
    && /opt/muster/bin/python -m pip uninstall --yes pip

FROM ${BASE}
COPY --from=build /opt/muster /opt/muster
# New volumes take their owner from here.
RUN install -d -o 10001 -g 10001 -m 0700 /data /backups
ENV PATH=/opt/muster/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MUSTER_DATA_DIR=/data \
    MUSTER_HOST=0.0.0.0 \
    MUSTER_PORT=8000
USER 10001:10001
VOLUME ["/data", "/backups"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"MUSTER_PORT\"]}/healthz/live', timeout=4)"]
ENTRYPOINT ["muster"]
CMD ["run"]
