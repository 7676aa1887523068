# The first stage installs, the second runs: nothing that builds or installs is in it.
# Every package is checked against the hashes of the locks, the one that builds recon's wheel too.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
RUN python -m venv /opt/recon && /opt/recon/bin/pip install --require-hashes -r requirements.lock
COPY requirements-bench.lock ./
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-bench.lock > build.lock \
    && python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r build.lock
COPY pyproject.toml README.md ./
COPY recon recon
COPY workers workers
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/recon/bin/pip install --no-deps --no-index /wheels/recon-*.whl \
    && /opt/recon/bin/python -m compileall -q /opt/recon/lib \
    && /opt/recon/bin/pip uninstall --yes pip setuptools

FROM python:${PYTHON}
RUN groupadd --gid 10001 recon \
    && useradd --uid 10001 --gid recon --home-dir /var/lib/recon --create-home --shell /usr/sbin/nologin recon \
    && pip uninstall --yes pip setuptools wheel
COPY --from=build /opt/recon /opt/recon
ENV PATH=/opt/recon/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/recon
USER recon
CMD ["recon", "--help"]
