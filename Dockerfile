# Touchline in a container: the server and its transcoding worker on Debian 12, run by a user without rights.
#
#   docker build -t touchline .
#   docker run -p 1935:1935 -p 8890:8890/udp -p 8080:8080 -e TOUCHLINE_PUBLISH_KEYS=main=SECRET touchline
#
# The listeners are open to the network here, so the server does not start without publish keys: set
# TOUCHLINE_PUBLISH_KEYS as above, or mount a touchline.toml and name it in TOUCHLINE_CONFIG.
# Port 9090 is for operators: publish it to a private network only, or not at all.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nodejs npm libsrt-openssl-dev libgstreamer1.0-dev \
    libgstreamer-plugins-base1.0-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /touchline
# The player page comes first: it changes less often than the server does.
COPY web web
RUN cd web && npm ci && npm run build
COPY . .
RUN cargo build --release --locked -p touchline -p touchline-transcode-worker

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Touchline" \
      org.opencontainers.image.description="Low-latency live streaming server: RTMP and SRT in, a ladder of renditions, Low-Latency HLS out" \
      org.opencontainers.image.licenses="(MIT OR Apache-2.0) AND Apache-2.0"
# What the server takes SRT with, and what the worker decodes and encodes with.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libsrt1.5-openssl gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    gstreamer1.0-plugins-ugly gstreamer1.0-libav \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --no-create-home --shell /usr/sbin/nologin touchline
COPY --from=build /touchline/LICENSE-MIT /touchline/LICENSE-APACHE /usr/share/doc/touchline/
COPY --from=build /touchline/target/release/touchline /touchline/target/release/touchline-transcode /usr/local/bin/
# To look through all plugins takes seconds: it is done here, once.
ENV GST_REGISTRY=/usr/local/share/touchline/plugins.bin
RUN mkdir -p /usr/local/share/touchline && touchline-transcode probe x264enc
ENV GST_REGISTRY_UPDATE=no
USER touchline
ENV TOUCHLINE_RTMP=:1935 \
    TOUCHLINE_SRT=:8890 \
    TOUCHLINE_HTTP=:8080 \
    TOUCHLINE_ADMIN=:9090
EXPOSE 1935 8890/udp 8080 9090
ENTRYPOINT ["touchline"]
CMD ["serve"]
