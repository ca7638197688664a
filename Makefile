# Every step to build, run and test control-tower. `make` alone lists them.

BROKER ?= amqp
PORT ?= 8000
ARGS ?=
SUITE ?= trixie

BUILD := build/release
CMAKE_FLAGS := -G Ninja --log-level=NOTICE -Wno-dev
ifneq ($(shell command -v ccache),)
  CMAKE_FLAGS += -DCMAKE_CXX_COMPILER_LAUNCHER=ccache
endif
export NINJA_STATUS := [%f/%t %es] 

.PHONY: help deps build build-tests run test chaos conformance dependencies dependencies-stop new-plugin lint fmt test-asan test-tsan bench clean test-fresh
.DEFAULT_GOAL := help

help:  ## this list
	@echo "control-tower: events in, protocol triggers out. Start with: make run"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r target what; do \
	  printf '  make %-18s %s\n' "$$target" "$$what"; done

deps:  ## install what is missing through apt (sudo where not root)
	@third_party/deps.sh build run test lint

build:  ## build/control-tower, static and stripped (debug info in build/control-tower.debug)
	@third_party/deps.sh build
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS)
	@cmake --build $(BUILD) --target control-tower
	@test build/control-tower -nt $(BUILD)/control-tower || { \
	  objcopy --only-keep-debug $(BUILD)/control-tower build/control-tower.debug && \
	  objcopy --strip-all --add-gnu-debuglink=build/control-tower.debug $(BUILD)/control-tower build/control-tower.new && \
	  mv build/control-tower.new build/control-tower && \
	  echo "built build/control-tower"; }

build-tests: build
	@cmake --build $(BUILD) --target unit-tests integration-tests

# The packages of all steps at once, before the first one.
.NOTPARALLEL:
.PHONY: deps-run deps-test
deps-run:
	@third_party/deps.sh build $(if $(filter amqp,$(BROKER)),run)
deps-test:
	@third_party/deps.sh build test

run: deps-run build  ## build and start everything, then print what to try (BROKER=stdout needs no RabbitMQ; PORT=8000, ARGS=)
ifeq ($(BROKER),amqp)
	@test/support/dependencies.sh build/rabbitmq start
endif
	@BROKER=$(BROKER) PORT=$(PORT) test/support/run.sh $(ARGS)

test: deps-test build-tests  ## every unit and integration test, against a RabbitMQ of its own
	@test/support/run_tests.sh $(BUILD) build/control-tower

dependencies:  ## start RabbitMQ on this machine and wait until it answers
	@third_party/deps.sh run
	@test/support/dependencies.sh build/rabbitmq start

dependencies-stop:  ## stop it again
	@test/support/dependencies.sh build/rabbitmq stop

CHAOS_ROUNDS ?= 60
chaos:  ## minutes of kills and faults (CHAOS_ROUNDS=60; CHAOS_SEED=, which is printed, repeats a run)
	@third_party/deps.sh build test chaos
	@$(MAKE) --no-print-directory build-tests
	@CHAOS_ROUNDS=$(CHAOS_ROUNDS) test/support/run_tests.sh $(BUILD) build/control-tower '[kill],[chaos]'

TOML_TEST ?= ../shared/toml-test
conformance: deps-test  ## the reader of TOML against the files of toml-test 1.0.0 (TOML_TEST=DIR)
	@test -f '$(TOML_TEST)/files-toml-1.0.0' || { \
	  echo "$(TOML_TEST) is no toml-test: TOML_TEST=DIR names the folder 'tests' of github.com/toml-lang/toml-test" >&2; exit 1; }
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS)
	@cmake --build $(BUILD) --target toml-conformance
	@$(BUILD)/toml-conformance '$(TOML_TEST)'

new-plugin:  ## begin a plugin: make new-plugin NAME=plate-reader writes a watcher, its README and a first test
	@plugins/new.sh "$$NAME"

lint:  ## format, clang-tidy, who may include whom, one home for each concept, length of functions
	@third_party/deps.sh build lint
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS)
	@test/support/lint.sh $(BUILD)

fmt:  ## format the sources
	@third_party/deps.sh lint
	@git ls-files '*.cpp' '*.h' | xargs -r clang-format -i

test-asan:  ## every test with the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory sanitized NAME=asan SANITIZE=address,undefined

test-tsan:  ## every test with the thread sanitizer
	@$(MAKE) --no-print-directory sanitized NAME=tsan SANITIZE=thread

.PHONY: sanitized
sanitized: deps-test
	@cmake -S . -B build/$(NAME) $(CMAKE_FLAGS) -DTOWER_SANITIZE=$(SANITIZE)
	@cmake --build build/$(NAME) --target control-tower unit-tests integration-tests
	@test/support/run_tests.sh build/$(NAME) build/$(NAME)/control-tower

BENCH_CASES ?= post batch
bench: build  ## measure against baselines (BENCH_CASES="post batch growth start instructions peers"; test/bench/README.md)
	@third_party/deps.sh bench $(patsubst %,bench-%,$(filter start instructions peers,$(BENCH_CASES)))
	@BENCH_CASES='$(BENCH_CASES)' test/bench/run.sh

test-fresh:  ## make test and make run in a bare Debian made by debootstrap (root; SUITE=trixie or bookworm)
	@test/support/fresh.sh $(SUITE)

clean:  ## remove build/
	@test ! -e build/rabbitmq || test/support/dependencies.sh build/rabbitmq stop
	rm -rf build
