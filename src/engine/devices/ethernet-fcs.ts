/** The check sequence at the end of an Ethernet frame. */
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc >>> 0;
});

/** The frame with its check sequence. @802.3 3.2.9 "Frame Check Sequence" */
export function withFcs(frame: Uint8Array): Uint8Array {
  let crc = 0xffff_ffff;
  for (const byte of frame) crc = CRC[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  const whole = new Uint8Array(frame.length + 4);
  whole.set(frame);
  new DataView(whole.buffer).setUint32(frame.length, ~crc >>> 0, true);
  return whole;
}
