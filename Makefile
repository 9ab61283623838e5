# On a fresh machine with Python 3.11, g++ and pip: `make run` or `make test`, nothing else by hand.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.set-up
NATIVE := CMakeLists.txt $(shell find native -type f)
# Never more threads than a small machine has; set it to run wider.
export OMP_NUM_THREADS ?= 2
# A thread that waits sleeps, so that a busy machine does not spend its cores on spinning.
export OMP_WAIT_POLICY ?= PASSIVE
# No library reports anything about us to anybody.
export DO_NOT_TRACK := 1

.PHONY: setup run test check fuzz proof sanitized torture docs clean

setup: $(STAMP)

# Debian's python3 may lack ensurepip: then the system's pip puts pip into the environment.
$(BIN)/python:
	@$(PYTHON) -m venv .venv 2>/dev/null || { \
	  $(PYTHON) -m venv --clear --without-pip .venv && \
	  $(PYTHON) -m pip --python .venv/bin/python install --quiet pip; }

# No build isolation: the pinned tools below build the native module, and build/ is reused next time.
$(STAMP): pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  scikit-build-core nanobind cmake ninja
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  --no-build-isolation -e '.[all,dev,peers]'
	@touch $@

run: setup
	$(BIN)/flyball run scanner --store var/scanner

# Two processes, a file at a time: most tests wait or use one core. `$(BIN)/python -m pytest` runs one after the other.
test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Minutes of bytes that nobody would write, on the scan of logs; needs clang++.
fuzz: setup
	FLYBALL_FUZZ_SECONDS=$${FLYBALL_FUZZ_SECONDS:-300} $(BIN)/python -m pytest -q tests/kernels/test_fuzzed.py

# The long evidence: ours beside the peers, results equal before times are taken.
BENCHES := startup asof kernels avx512 wheel logs images fab edge endpoint rollout drift watch concept year pipeline drives wafer turbofan \
  streams ahead

proof: $(BENCHES:%=bench-%) sanitized torture

bench-%: setup
	$(BIN)/flyball bench $*

# The C++ under sanitizers on every instruction set of this machine; the tests take the plainest and the widest.
sanitized: setup
	FLYBALL_PATHS=all $(BIN)/python -m pytest -q tests/kernels/test_sanitized.py

# Every fault of the list with 32 seeds each: most of an hour.
torture: setup
	$(BIN)/flyball torture ingest --tier minutes --out benchmarks/results/torture.json
	$(BIN)/flyball torture fleet --tier minutes --out benchmarks/results/torture-fleet.json

# The generated regions of README.md and docs: benchmark tables, part menus, the tree.
docs: setup
	$(BIN)/python docs/tables.py

clean:
	rm -rf .venv build var .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
