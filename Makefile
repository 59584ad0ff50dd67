# vext: make builds, make test tests, make run shows. See docs/hacking.md.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go
ifndef VERSION
VERSION := $(shell sh packaging/version.sh)
endif
SOURCE_DATE_EPOCH ?= $(shell sh packaging/version.sh epoch)

# Static: the filter must start in a millisecond wherever it is copied to. The same
# source and the same Go give the same bytes.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags "-s -w $(LDFLAGS)"

# Where the programs are built, and the one from which install takes completions.
BIN  ?= bin
VEXT ?= $(BIN)/vext

FUZZTIME   ?= 10s
# How many packages are tested at once: one more than there are CPUs, because the night of
# test/autosync, which comes first, waits for ten minutes more than it computes.
TESTS      ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
SYSTEMS     = linux/amd64 linux/arm64 freebsd/amd64 openbsd/amd64 netbsd/amd64 darwin/arm64
PACKAGES    = amd64 arm64

.PHONY: all run test test-programs test-fresh bench fuzz lint vulncheck cross dist packages install clean $(BIN)/vext $(BIN)/vext-filter

all: $(BIN)/vext $(BIN)/vext-filter

$(BIN)/vext: LDFLAGS = -X main.buildVersion=$(VERSION)
$(BIN)/vext:
	$(BUILD) -o $@ ./cmd/vext

# Go's runtime ends with 2 when it can't start, on which mail systems bounce. On
# these systems the filter has an entry of its own that gives 75 instead
# (cmd/vext-filter/entry_linux.go); elsewhere a script runs it.
GUARDED = $(filter linux/amd64 linux/arm64,$(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH))

$(BIN)/vext-filter: LDFLAGS = $(if $(GUARDED),-E main.entry)
$(BIN)/vext-filter:
	$(BUILD) -o $@$(if $(GUARDED),,.bin) ./cmd/vext-filter
	$(if $(GUARDED),,install -m 0755 contrib/vext-filter.sh $@)

# The whole story in ten seconds.
run: all
	bin/vext demo

# Everything that is tested, with the real programs if they are installed. Never
# from the cache: it does not know of the programs that the tests build and run.
# At its end stands how many tests were skipped, and which, and the ten slowest. Up to
# three tests that fail are run once more, which is shown: the real servers are given
# little time, and a loaded machine can need more. More failures than that are an error.
test: test-programs
	@mkdir -p dist
	$(GO) vet ./...
	$(GO) tool gotestsum --format pkgname --jsonfile dist/test.json --rerun-fails=1 --rerun-fails-abort-on-data-race --rerun-fails-run-root-test --rerun-fails-max-failures=3 --packages './test/autosync ./...' -- -race -count=1 -p $(TESTS) -timeout 25m
	@echo 'The slowest tests:'; $(GO) tool gotestsum tool slowest --jsonfile dist/test.json --threshold 1s --num 10

# The same in a new root of Debian's, made with debootstrap, which has nothing but
# what make test installs.
test-fresh:
	sh test/fresh.sh

test-programs:
	@sh test/programs.sh

bench: all
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 1h ./test/bench

# Each fuzz target for FUZZTIME.
fuzz:
	@set -e; for file in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
	  for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
	    echo "== $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
	  done; done

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 ./test/words

# Known vulnerabilities in what vext calls. The database is read over the network:
# so this is no part of lint.
vulncheck:
	$(GO) tool govulncheck ./...

# Both programs, for every system that their users have. vet has -trimpath so that it finds
# the packages compiled by the build before it.
cross:
	@set -e; for system in $(SYSTEMS); do \
	  echo "== $$system"; \
	  export GOOS=$${system%/*} GOARCH=$${system#*/}; \
	  $(MAKE) -s BIN=dist/bin/$$GOOS-$$GOARCH all; \
	  CGO_ENABLED=0 $(GO) vet -trimpath ./...; \
	done

dist packages: export VERSION := $(VERSION)
dist packages: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
dist packages: export MAKE := $(MAKE)
dist packages: export GO := $(GO)

# A tarball for every system, and one of the source; dist/SHA256SUMS has the sums of
# all. The same source and the same Go give the same bytes.
dist: all
	@set -e; for system in $(SYSTEMS); do \
	  echo "== $$system"; sh packaging/tarball.sh $${system%/*} $${system#*/}; \
	done
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  git archive --prefix=vext-$(VERSION)/ HEAD | gzip -9n >dist/vext-$(VERSION).tar.gz; \
	fi
	@$(SUMS)

# A .deb and an .rpm for each of PACKAGES.
packages: all
	@set -e; for arch in $(PACKAGES); do sh packaging/package.sh $$arch; done
	@$(SUMS)

SUMS = cd dist && sha256sum $$(LC_ALL=C ls | grep -E '\.(tar\.gz|deb|rpm)$$') >SHA256SUMS && cat SHA256SUMS

# What make has built; it needs no Go, which root often has not in its PATH.
install:
	@test -x $(BIN)/vext && test -x $(BIN)/vext-filter || { echo 'run make first'; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
	  $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d \
	  $(DESTDIR)$(PREFIX)/share/doc/vext
	install -m 0755 $(BIN)/vext $(BIN)/vext-filter* $(DESTDIR)$(PREFIX)/bin
	ln -sf vext $(DESTDIR)$(PREFIX)/bin/git-remote-daemon
	install -m 0644 docs/vext.1 docs/vext-filter.1 docs/vext-remote.1 docs/vext-autosync.1 $(DESTDIR)$(PREFIX)/share/man/man1
	echo '.so man1/vext-remote.1' > $(DESTDIR)$(PREFIX)/share/man/man1/git-remote-daemon.1
	install -m 0644 docs/vext.toml.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 0644 docs/vext-queue.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0644 README.md LICENSE CHANGELOG.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/vext
	cp -R contrib $(DESTDIR)$(PREFIX)/share/doc/vext
	$(VEXT) completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vext
	$(VEXT) completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vext
	$(VEXT) completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vext.fish

clean:
	rm -rf bin dist
