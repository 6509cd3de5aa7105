# One node. Build: docker build -t accord .   Run: see docs/operations.md.
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY node node
COPY protocol protocol
RUN python -m venv /opt/accord && /opt/accord/bin/pip install --no-cache-dir .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin accord \
    && install -d -o accord -g accord -m 0700 /data
COPY --from=build /opt/accord /opt/accord
ENV PATH=/opt/accord/bin:$PATH \
    ACCORD_DIR=/data/node \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER accord
VOLUME /data
EXPOSE 8470
STOPSIGNAL SIGTERM
# The admin API listens on the loopback of the container; /ready says whether Jira was reached.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import json,os,urllib.request;u=json.load(open(os.environ['ACCORD_DIR']+'/running.json'))['admin_url'];urllib.request.urlopen(u+'/health',timeout=4)"]
ENTRYPOINT ["accord"]
CMD ["serve"]
