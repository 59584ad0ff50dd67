#!/bin/sh
# package.sh ARCH: makes dist/vext_VERSION_ARCH.deb and the .rpm of the same.
set -eu
stage=dist/stage-$1
sh packaging/stage.sh linux "$1" "$stage" /usr
doc=$stage/usr/share/doc/vext
mkdir -p "$stage/usr/lib/systemd/system" "$stage/usr/lib/systemd/user"
mv "$doc/contrib/systemd/user"/* "$stage/usr/lib/systemd/user"
rmdir "$doc/contrib/systemd/user"
mv "$doc/contrib/systemd"/* "$stage/usr/lib/systemd/system"
rmdir "$doc/contrib/systemd"
rm -r "$doc/contrib/rc.d" "$doc/contrib/periodic" "$doc/contrib/vext-filter.sh"
mv "$doc/contrib" "$doc/examples"
mv "$doc/LICENSE" "$doc/copyright"
# In a package the programs are in /usr/bin, and the units in their place.
find "$doc" "$stage/usr/share/man" "$stage/usr/lib/systemd" -type f -exec sed -i \
	-e 's|/usr/local/bin/vext|/usr/bin/vext|g' -e '/^#	install .*0644 vext/d' -e '/^#	systemctl \(--user \)\{0,1\}daemon-reload/d' {} +
find "$stage/usr/share/man" -type f -exec gzip -9n {} +
find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# 0.1.0-5-g0123456 is later than 0.1.0; a hyphen is not allowed.
PACKAGE_VERSION=$(echo "$VERSION" | sed -e 's/^\([0-9a-f]\{7,\}\)/0+\1/' -e 's/-\([0-9]*\)-g/+\1.g/' -e 's/-/./g')
export PACKAGE_VERSION PACKAGE_ARCH="$1" STAGE="$stage"
for format in deb rpm; do
	${GO:-go} tool -modfile=tools/go.mod nfpm package --config packaging/nfpm.yaml --packager "$format" --target dist
done
rm -rf "$stage"
