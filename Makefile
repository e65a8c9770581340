# The entry points for people and for CI. Everything that is needed is installed by packaging/dev/install.
# Run as root: the tests and demos bring up hosts in network namespaces of their own.

CARGO ?= cargo
TARGET = $(or $(CARGO_TARGET_DIR),target)
TOOLS = $(abspath $(TARGET))/tools
BIN = $(TARGET)/debug
export PATH := $(PATH):$(TOOLS)/bin

.PHONY: help build demo demo-cluster test lint deny check bench show-cluster show-ipc show-containers show-fence show-parity packages show-packages cross fuzz clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build everything, with debug information
	packaging/dev/install build
	$(CARGO) build --workspace --bins

demo: ## one agent, no cluster: a real service fails and recovers in front of your eyes
	packaging/dev/install build demo
	$(CARGO) build -p picket-agent -p picket-tests --bins
	$(BIN)/demo

demo-cluster: ## the same in a real Pacemaker cluster of two nodes; then a container freezes and is fenced
	packaging/dev/install build cluster containers
	$(CARGO) build -p picket-agent -p picket-fence -p picket-tests --bins
	PICKET_STATIC_AGENT=$$(PICKET_PROFILE=dev packaging/container/static)/picket-agent $(BIN)/demo-cluster

test: lint ## what CI runs
	packaging/dev/install build cluster systemd containers package
	packaging/dev/original >/dev/null
	packaging/dev/systemd-root >/dev/null
	$(CARGO) build --workspace --bins
	PICKET_PROFILE=dev packaging/build deb rpm >/dev/null
	PICKET_STATIC_AGENT=$$(PICKET_PROFILE=dev packaging/container/static)/picket-agent $(CARGO) test --workspace
	$(BIN)/demo

lint: ## formatting, clippy, licenses and duplicate dependencies
	packaging/dev/install lint
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cargo-deny --log-level error check bans licenses sources

bench: ## request/reply times of the original and of picket-agent, in one run
	packaging/dev/install build cluster
	$(CARGO) build --release -p picket-agent -p picket-tests --bins
	$(TARGET)/release/bench-exchange

show-cluster: ## measure every promise of the cluster slice, one line a point
	packaging/dev/install build cluster
	packaging/dev/original >/dev/null
	$(CARGO) build -p picket-agent -p picket-tests --bins
	$(BIN)/show-cluster

fuzz: ## throw random bytes at the parsers for a minute; needs a nightly toolchain
	cargo-fuzz --version >/dev/null 2>&1 || $(CARGO) install cargo-fuzz --locked --debug --root $(TOOLS)
	cd proto && $(CARGO) +nightly fuzz run ipc -- -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=512

show-ipc: ## measure every promise about cluster tools in a guest, one line a point
	packaging/dev/install build cluster services
	packaging/dev/original >/dev/null
	$(CARGO) build --release -p picket-agent -p picket-tests --bins
	$(TARGET)/release/show-ipc

show-containers: ## measure every promise about containers, one line a point
	packaging/dev/install build containers shells
	$(CARGO) build --release -p picket-agent -p picket-tests --bins
	PICKET_STATIC_AGENT=$$(packaging/container/static)/picket-agent $(TARGET)/release/show-containers

show-fence: ## measure every promise of picket-fence, one line a point; a quarter of an hour
	packaging/dev/install build fencing
	packaging/dev/vm-image >/dev/null
	$(CARGO) build --release -p picket-agent -p picket-fence -p picket-tests --bins
	PICKET_STATIC_AGENT=$$(packaging/container/static)/picket-agent $(TARGET)/release/show-fence

packages: ## DEB, RPM and static tarball, in target/package/
	packaging/dev/install build package
	packaging/build

cross: ## the static programs for aarch64, and whether they run (emulated); five minutes
	packaging/dev/install cross
	packaging/dev/try-cross aarch64

show-packages: packages ## install, upgrade and remove the packages, migrate a guest; one line a point
	packaging/dev/install cluster containers shells
	$(CARGO) build --release -p picket-tests --bins
	PICKET_STATIC_AGENT=$$(packaging/container/static)/picket-agent $(TARGET)/release/show-packages

show-parity: ## measure whether the agent does all that the original does, one line a point; 45 minutes
	packaging/dev/install build cluster systemd
	packaging/dev/original >/dev/null
	packaging/dev/systemd-root >/dev/null
	$(CARGO) build --release -p picket-agent -p picket-tests --bins
	$(TARGET)/release/show-parity

clean: ## remove what was built
	$(CARGO) clean
