# The static binary and nothing else. In a container HTTP listens on all addresses, which takes tokens. Build and run:
#
#   docker build --tag control-tower --build-arg COMMIT=$(git rev-parse --short=12 HEAD) .
#   echo "lab:$(openssl rand -hex 16)" >tokens
#   docker run --publish 127.0.0.1:8000:8000 --volume control-tower:/data --volume "$PWD/tokens:/tokens:ro" control-tower \
#     --server.tokens-file /tokens --broker stdout
#
FROM debian:trixie-slim AS build
WORKDIR /src
COPY third_party/deps.sh third_party/deps.sh
RUN third_party/deps.sh build && rm -rf /var/lib/apt/lists/*
COPY . .
ARG COMMIT=unknown
RUN cmake -S . -B build/release -G Ninja -DTOWER_TESTS=OFF -DTOWER_COMMIT=$COMMIT \
 && cmake --build build/release --target control-tower \
 && mkdir -p /root-fs/etc/ssl/certs /root-fs/data \
 && strip --strip-all -o /root-fs/control-tower build/release/control-tower \
 && cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ \
 && echo 'hosts: files dns' > /root-fs/etc/nsswitch.conf

FROM scratch
COPY --from=build --chown=65532:65532 /root-fs/data /data
COPY --from=build /root-fs/etc /etc
COPY --from=build /root-fs/control-tower /control-tower
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV CONTROL_TOWER_QUEUE_PATH=/data/control-tower.db CONTROL_TOWER_SERVER_HOST=0.0.0.0
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/control-tower"]
