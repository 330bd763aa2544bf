# make test    everything that has to pass, as .ci/run runs it; installs CLP and GLPK where they are missing
# make bench   the benchmarks at small sizes
# make bench-table   measures the tables of bench/README.md (those that match TABLES), models up to LARGEST states
# make cover   which lines the tests reach

GO ?= go
# Counted, not timed: with a time limit go test now and then reports the limit itself as a failure.
FUZZTIME ?= 30000x
BENCHTIME ?= 0.1s
LARGEST ?= 10000000
TABLES ?= .

# Fuzz targets, as package:target.
FUZZ := $(shell grep -rl --include='*_test.go' '^func Fuzz' . | xargs grep -Ho '^func Fuzz[A-Za-z]*' | sed 's,/[^/]*:func ,:,' | sort -u)

.PHONY: test format vet build unit clp fuzz bench bench-table cover

test: format build vet unit clp fuzz

format:
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change: $$files"; exit 1; }

build:
	$(GO) build ./...

vet:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

unit:
	$(GO) test -race ./...

# CLP is a C++ library, so everything that uses it is behind a build tag. The programs are for lp/exec.
clp: /usr/include/coin/ClpSimplex.hpp /usr/bin/clp /usr/bin/glpsol
	$(GO) vet -tags clp ./...
	$(GO) tool staticcheck -tags clp ./...
	$(GO) test -tags clp ./lp/... ./cmd/...

/usr/include/coin/ClpSimplex.hpp:
	apt-get update
	apt-get install -y --no-install-recommends coinor-libclp-dev pkg-config g++

/usr/bin/clp /usr/bin/glpsol:
	apt-get update
	apt-get install -y --no-install-recommends coinor-clp glpk-utils

fuzz:
	@set -e; for f in $(FUZZ); do \
		echo "fuzzing $$f"; \
		$(GO) test $${f%%:*} -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...

bench-table:
	$(GO) test ./bench -run TestTable -write '$(TABLES)' -largest $(LARGEST) -timeout 3h

cover:
	$(GO) test -coverpkg ./... -coverprofile cover.out ./...
	$(GO) tool cover -func cover.out | tail -1
