# Built and run by docker-compose.yml, or by hand:
#   docker build -t anthropic-proxy .
#   docker run --rm --read-only --tmpfs /tmp --stop-timeout 40 -p 127.0.0.1:5000:5000 anthropic-proxy

# A patch release of a slim image; raise it for security fixes, or pin its digest: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.13.11-slim-bookworm
FROM ${PYTHON_IMAGE}

# No bytecode at run time: the root may be read-only. No buffering: a log line is out when it is written.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /srv/anthropic-proxy

# Before the source, so a change of the source does not install anew. Wheels only: nothing is compiled here.
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.txt

COPY wsgi.py gunicorn.conf.py ./
COPY scripts/health.py scripts/
COPY app/ app/
# Readable by the user below, whatever umask the source was checked out with.
RUN python -m compileall -q app wsgi.py && chmod -R a+rX .

# Numeric, so Kubernetes can see that it is not root; no such user exists, nor a home or a shell for one.
USER 65532:65532

EXPOSE 5000

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "scripts/health.py"]

# Exec form: gunicorn is process 1 and gets SIGTERM itself. It logs to stdout and stderr.
CMD ["gunicorn", "-c", "gunicorn.conf.py"]
