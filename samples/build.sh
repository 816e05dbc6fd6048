#!/bin/sh
# Builds the samples' images from source with GNU as, ld, nm and objcopy (Debian 12: binutils 2.40).
#   samples/build.sh            builds every image in place
#   samples/build.sh --check    builds elsewhere and compares with the committed images; status 1 when one differs
#   samples/build.sh NAME...    builds these only
# The output depends on the sources alone: no build id, no debug paths, no timestamps.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
check=no
if [ "${1:-}" = --check ]; then check=yes; shift; fi
names=${*:-'real-mode long-mode interrupts ring3 exit-zoo triple-fault crc32 memory keyboard'}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# objects NAME: what is linked into the sample beside its own source
objects() {
  case $1 in
    real-mode | long-mode) ;;
    crc32 | memory | triple-fault) echo start64 serial64 ;;
    *) echo start64 serial64 idt64 ;;
  esac
}

# The assembler runs in the work folder, so object names (which the symbol table keeps) are the same everywhere.
assemble() {
  (cd "$work" && as --64 -I "$here/lib" -o "$2.o" "$1")
}

for object in start64 serial64 idt64; do assemble "$here/lib/$object.S" "$object"; done

failed=0
for name in $names; do
  assemble "$here/$name/$name.S" "$name"
  linked="$name.o"
  for object in $(objects "$name"); do linked="$linked $object.o"; done
  script="$here/lib/sample.ld"
  if [ -f "$here/$name/$name.ld" ]; then script="$here/$name/$name.ld"; fi
  # shellcheck disable=SC2086
  (cd "$work" && ld --build-id=none --no-warn-rwx-segments -n -T "$script" $linked -o "$name.elf")
  # Constants (.equ) are no places in the guest: a debugger must not show an address as one of them.
  nm "$work/$name.elf" | awk '$2 == "a" { print $3 }' >"$work/constants"
  objcopy --strip-symbols="$work/constants" "$work/$name.elf"
  made="$name.elf"
  if [ "$name" = real-mode ]; then
    objcopy -O binary "$work/$name.elf" "$work/$name.bin"
    made="$name.bin $name.elf"
  fi
  for file in $made; do
    if [ $check = no ]; then
      cp "$work/$file" "$here/$name/$file"
      chmod 644 "$here/$name/$file"
    elif ! cmp "$work/$file" "$here/$name/$file"; then
      failed=1
    fi
  done
done
[ $check = no ] || [ $failed = 1 ] || echo 'samples: every image is what its source builds'
exit $failed
