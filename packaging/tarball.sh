#!/bin/sh
# tarball.sh OS ARCH: makes dist/vext-VERSION-OS-ARCH.tar.gz. The same source and
# the same Go give the same bytes. It needs GNU tar.
set -eu
name=vext-$VERSION-$1-$2
sh packaging/stage.sh "$1" "$2" "dist/$name" ''
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" --format=ustar \
	-C dist -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
rm -rf "dist/$name"
