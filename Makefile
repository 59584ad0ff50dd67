# vext: make builds, make test tests, make run shows. See docs/hacking.md.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# Static: the filter must start in a millisecond wherever it is copied to.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w $(LDFLAGS)"

FUZZTIME   ?= 10s
SYSTEMS     = linux/amd64 linux/arm64 freebsd/amd64 openbsd/amd64 netbsd/amd64 darwin/arm64

.PHONY: all run test test-programs test-fresh bench fuzz lint cross install clean bin/vext bin/vext-filter

all: bin/vext bin/vext-filter

bin/vext: LDFLAGS = -X main.buildVersion=$(VERSION)
bin/vext:
	$(BUILD) -o $@ ./cmd/vext

# Go's runtime ends with 2 when it can't start, on which mail systems bounce. On
# these systems the filter has an entry of its own that gives 75 instead
# (cmd/vext-filter/entry_linux.go); elsewhere a script runs it.
GUARDED = $(filter linux/amd64 linux/arm64,$(shell $(GO) env GOOS)/$(shell $(GO) env GOARCH))

bin/vext-filter: LDFLAGS = $(if $(GUARDED),-E main.entry)
bin/vext-filter:
	$(BUILD) -o $@$(if $(GUARDED),,.bin) ./cmd/vext-filter
	$(if $(GUARDED),,install -m 0755 contrib/vext-filter.sh $@)

# The whole story in ten seconds.
run: all
	bin/vext demo

# Everything that is tested, with the real programs if they are installed. Never
# from the cache: it does not know of the programs that the tests build and run.
# At its end stands how many tests were skipped, and which.
test: test-programs
	$(GO) vet ./...
	$(GO) tool gotestsum --format pkgname -- -race -count=1 -timeout 20m ./...

# The same in a new root of Debian's, made with debootstrap, which has nothing but
# what make test installs.
test-fresh:
	sh test/fresh.sh

test-programs:
	@sh test/programs.sh

bench: all
	$(GO) test -run '^$$' -bench . -benchtime 1x ./test/bench

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

# Both programs, for every system that their users have.
cross:
	@set -e; for system in $(SYSTEMS); do \
	  echo "== $$system"; \
	  export GOOS=$${system%/*} GOARCH=$${system#*/} CGO_ENABLED=0; \
	  $(GO) build -o /dev/null ./cmd/vext; \
	  case $$system in linux/*) entry='-E main.entry';; *) entry='';; esac; \
	  $(GO) build -ldflags "$$entry" -o /dev/null ./cmd/vext-filter; \
	  $(GO) vet ./...; \
	done

# What make has built; it needs no Go, which root often has not in its PATH.
install:
	@test -x bin/vext && test -x bin/vext-filter || { echo 'run make first'; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
	  $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d \
	  $(DESTDIR)$(PREFIX)/share/doc/vext
	install -m 0755 bin/vext bin/vext-filter* $(DESTDIR)$(PREFIX)/bin
	install -m 0644 docs/vext.1 docs/vext-filter.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 docs/vext.toml.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 0644 docs/vext-queue.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0644 README.md LICENSE CHANGELOG.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/vext
	cp -R contrib $(DESTDIR)$(PREFIX)/share/doc/vext
	bin/vext completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vext
	bin/vext completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_vext
	bin/vext completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/vext.fish

clean:
	rm -rf bin
