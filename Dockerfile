# syntax=docker/dockerfile:1

# One image for every role: `segell intake`, `segell worker`, `segell console`, `segell serve`.
#
# Tags can be moved; a digest cannot. After the first pull write the digest beside
# the tag (golang:1.27.1-bookworm@sha256:…): it could not be looked up where this
# file was written.
FROM golang:1.27.1-bookworm AS build
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false
WORKDIR /src
COPY . .
ARG VERSION=""
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/segell ./cmd/segell \
 && mkdir -p /out/tmp /out/heads

# Nothing but the program, the authorities of TLS, a place for temporary files and
# one for the heads of the audit trail, where a volume is mounted: no shell, no package manager, no library to patch.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/heads /heads
COPY --from=build /out/segell /segell
USER 65532:65532
# The public door; the admin port stays on loopback, inside the container.
ENV SEGELL_LISTEN=:8080 SEGELL_ADMIN_LISTEN=127.0.0.1:8081
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=40s --retries=3 CMD ["/segell", "health"]
ENTRYPOINT ["/segell"]
CMD ["serve"]
