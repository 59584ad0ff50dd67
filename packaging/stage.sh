#!/bin/sh
# stage.sh OS ARCH DIR PREFIX: builds both programs for a system and installs
# them, and all that belongs to them, below DIR.
set -eu
export GOOS="$1" GOARCH="$2"
bin=dist/bin/$GOOS-$GOARCH
rm -rf "$bin" "$3"
${MAKE:-make} -s BIN="$bin" all
${MAKE:-make} -s BIN="$bin" VEXT=bin/vext DESTDIR="$3" PREFIX="$4" install
chmod -R u=rwX,go=rX "$3"
