# Work whose output is the same wherever it runs: on the host and in a guest. $1: busybox; the folder holds `arithmetic`.
set -e
cd "${0%/*}"
./arithmetic
"$1" sha256sum arithmetic
"$1" sha512sum <arithmetic
"$1" gzip -9 -c <arithmetic >packed.gz
"$1" sha1sum <packed.gz
"$1" gunzip -c packed.gz | "$1" md5sum
"$1" bzip2 -c <"$0" | "$1" sha1sum
"$1" awk 'BEGIN {
  for (i = 1; i < 60; i++) printf "%.17g %.15g %e %d %x\n", 1 / i, i * 1e300 / 7e-3, -i / 3e295 / 1e15, i * 1e7 / 7, i * i
  for (i = 0; i < 20000; i++) sum += (i % 97) / (i + 0.5)
  print sum, 1e308 * 10, 0.1 + 0.2 == 0.3, 22 % 7.5, int(-2.5), 1e16, 3e9 - 0.5
}'
"$1" dc -e '40 k 2 v 355 113 / * p'
