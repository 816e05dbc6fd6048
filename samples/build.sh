#!/bin/sh
# Builds the images of samples/ and bench/ from source with GNU as, ld, nm and objcopy (Debian 12: binutils 2.40).
#   samples/build.sh            builds every image in place
#   samples/build.sh --check    builds elsewhere and compares with the committed images; status 1 when one differs
#   samples/build.sh NAME...    builds these only (folders below samples/)
# The output depends on the sources alone: no build id, no debug paths, no timestamps.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
check=no
if [ "${1:-}" = --check ]; then check=yes; shift; fi
names=${*:-'real-mode long-mode interrupts ring3 exit-zoo triple-fault crc32 memory keyboard ../bench/loops'}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# objects NAME: what is linked into the sample beside its own source
objects() {
  case $1 in
    real-mode | long-mode) ;;
    crc32 | memory | triple-fault | loops) echo start64 serial64 ;;
    ring3) echo start64 serial64 idt64 ;;
    *) echo start64 serial64 idt64 pic64 ;;
  esac
}

# The assembler runs in the work folder, so object names (which the symbol table keeps) are the same everywhere.
assemble() {
  (cd "$work" && as --64 -I "$here/lib" -o "$2.o" "$1")
}

for object in start64 serial64 idt64 pic64; do assemble "$here/lib/$object.S" "$object"; done

failed=0
for place in $names; do
  name=$(basename "$place")
  folder="$here/$place"
  assemble "$folder/$name.S" "$name"
  linked="$name.o"
  for object in $(objects "$name"); do linked="$linked $object.o"; done
  script="$here/lib/sample.ld"
  if [ -f "$folder/$name.ld" ]; then script="$folder/$name.ld"; fi
  # shellcheck disable=SC2086
  (cd "$work" && ld --build-id=none --no-warn-rwx-segments -n -T "$script" $linked -o "$name.elf")
  # Constants (.equ) are no places in the guest: a debugger must not show an address as one of them.
  nm "$work/$name.elf" | awk '$2 == "a" { print $3 }' >"$work/constants"
  objcopy --strip-symbols="$work/constants" "$work/$name.elf"
  made="$name.elf"
  if [ "$name" = real-mode ]; then
    objcopy -O binary "$work/$name.elf" "$work/$name.bin"
    mv "$work/$name.elf" "$work/$name.sym"
    made="$name.bin $name.sym"
  fi
  for file in $made; do
    if [ $check = no ]; then
      cp "$work/$file" "$folder/$file"
      chmod 644 "$folder/$file"
    elif ! cmp "$work/$file" "$folder/$file"; then
      failed=1
    fi
  done
done
[ $check = no ] || [ $failed = 1 ] || echo 'samples: every image is what its source builds'
exit $failed
