/* CRC-16 bit by bit, as small programs do it. */
#include "runtime.h"

enum { BYTES = 4096 };
static u8 data[BYTES];

APART static u16 crc(const u8 *at, u32 bytes, u16 value) {
  while (bytes--) {
    value ^= (u16)(*at++ << 8);
    for (int bit = 0; bit < 8; bit++) value = value & 0x8000 ? (u16)(value << 1 ^ 0x1021) : (u16)(value << 1);
  }
  return value;
}

u32 work(u32 times) {
  u16 value = 0xffff;
  for (u32 n = 0; n < BYTES; n++) data[n] = (u8)next_number();
  while (times--) value = crc(data, BYTES, value);
  return value;
}
