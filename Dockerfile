# The server in a container.
#
#     docker build --tag lakegate .
#     docker run --stop-timeout 60 --publish 15432:15432 --publish 32010:32010 \
#         --volume lakegate-state:/var/lib/lakegate --volume /srv/files:/lake \
#         --env 'LAKEGATE_TLS__HOST_NAMES=["lake.example.com"]' lakegate
#
# The first start writes the administrator's password to /var/lib/lakegate/initial-admin-password.
# /lake is the lake root file:///lake/; the user 10001 must be able to read it, and to write to it
# if clients ingest rows. Every setting is a variable, docs/operations.md lists them; a mounted
# /etc/lakegate/lakegate.toml replaces packaging/container.toml. The memory limit of the container
# counts as the machine's memory.

FROM rust:1.95-bookworm AS builder
WORKDIR /build
# Without rust-toolchain.toml: the compiler is the image's, and rustfmt and clippy are not needed.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY crates crates
COPY src src
RUN cargo build --locked --package lakegate --profile dist

FROM debian:bookworm-slim
# The system's certificate authorities, for S3 and identity providers over TLS.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/lakegate \
        --shell /usr/sbin/nologin lakegate \
    && install --directory --owner lakegate --group lakegate --mode 0700 /var/lib/lakegate \
    && install --directory --owner lakegate --group lakegate --mode 0755 /lake
COPY --from=builder /build/target/dist/lakegate /usr/local/bin/lakegate
COPY packaging/container.toml /etc/lakegate/lakegate.toml
COPY LICENSE /usr/share/doc/lakegate/LICENSE

USER 10001:10001
WORKDIR /var/lib/lakegate
VOLUME ["/var/lib/lakegate", "/lake"]
# Every command finds the configuration (`docker exec … lakegate backup --to …`), and logs carry no
# colours.
ENV LAKEGATE_CONFIG=/etc/lakegate/lakegate.toml \
    NO_COLOR=1
# PostgreSQL, Arrow Flight SQL, health. The last one is answered without TLS too.
EXPOSE 15432 32010 8080
STOPSIGNAL SIGTERM
# bash speaks TCP, so that the image needs no HTTP client.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["bash", "-c", \
        "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^ready' <&3"]
ENTRYPOINT ["/usr/local/bin/lakegate"]
CMD ["serve"]
