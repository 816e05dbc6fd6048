// CRC-32C, of the polynomial 11EDC6F41h with its bits reflected. @sdm 2A "CRC32"

/** Tables of 256: what a byte does to the sum, with none to seven behind it. They are made when they are first wanted. */
const TABLES: usize = memory.data(8 * 1024);
const POLYNOMIAL: u32 = 0x82f63b78;

@inline function after(behind: u32, byte: u32): u32 { return load<u32>(TABLES + (behind << 10) + ((byte & 0xff) << 2)); }

function make(): void {
  for (let n: u32 = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
    store<u32>(TABLES + (n << 2), crc);
  }
  for (let at: u32 = 256; at < 2048; at++) {
    const before = load<u32>(TABLES + ((at - 256) << 2));
    store<u32>(TABLES + (at << 2), before >> 8 ^ after(0, before));
  }
}

/** The sum over 1, 2, 4 or 8 bytes more. */
export function crc32(crc: u32, data: u64, bytes: u32): u32 {
  if (load<u32>(TABLES, 4) == 0) make();
  const x = u64(crc) ^ data;
  const low = u32(x);
  if (bytes == 8) {
    const high = u32(x >> 32);
    return (
      after(7, low) ^ after(6, low >> 8) ^ after(5, low >> 16) ^ after(4, low >> 24) ^
      after(3, high) ^ after(2, high >> 8) ^ after(1, high >> 16) ^ after(0, high >> 24)
    );
  }
  if (bytes == 4) return after(3, low) ^ after(2, low >> 8) ^ after(1, low >> 16) ^ after(0, low >> 24);
  if (bytes == 2) return after(1, low) ^ after(0, low >> 8) ^ crc >> 16;
  return after(0, low) ^ crc >> 8;
}
