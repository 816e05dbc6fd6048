// Constants of the transcendental functions: 128-bit significands, rounded, of value * 2^(127 - exponent).
/** pi; exponent 1. */
export const PI_EXP: i32 = 1;
export const PI_HI: u64 = 0xc90fdaa22168c234;
export const PI_LO: u64 = 0xc4c6628b80dc1cd1;
/** ln 2; exponent -1. */
export const LN2_EXP: i32 = -1;
export const LN2_HI: u64 = 0xb17217f7d1cf79ab;
export const LN2_LO: u64 = 0xc9e3b39803f2f6af;
/** 2 log2 e; exponent 1. */
export const TWO_LOG2E_EXP: i32 = 1;
export const TWO_LOG2E_HI: u64 = 0xb8aa3b295c17f0bb;
export const TWO_LOG2E_LO: u64 = 0xbe87fed0691d3e89;

/** atan(k / 16) for k from 0 to 16: upper and lower half of the significand. */
export const ATAN_TABLE: usize = memory.data<u64>([
  0x0000000000000000, 0x0000000000000000,
  0xffaaddb967ef4e36, 0xcb2792dc0e2e0d51,
  0xfeadd4d5617b6e32, 0xc897989f3e888ef8,
  0xbdcbda5e72d81134, 0x7b0b4f881c9c7488,
  0xfadbafc96406eb15, 0x6dc79ef5f7a217e6,
  0x9b13b9b83f5e5e69, 0xc5abb498d27af328,
  0xb7b0ca0f26f78473, 0x8aa32122dcfe4483,
  0xd327761e611fe5b6, 0x427c95e9001e7136,
  0xed63382b0dda7b45, 0x6fe445ecbc3a8d03,
  0x832bf4a6d9867e2a, 0x4b6a09cb61a515c1,
  0x8f005d5ef7f59f9b, 0x5c835e1665c43748,
  0x9a2f80e671bdda20, 0x4226f8e2204ff3bd,
  0xa4bc7d1934f70924, 0x19a87f2a457dac9f,
  0xaeac4c38b4d8c080, 0x14725e2f3e52070a,
  0xb8053e2bc2319e73, 0xcb2da55210a4443d,
  0xc0ce85b8ac526640, 0x89dd62c46e92fa25,
  0xc90fdaa22168c234, 0xc4c6628b80dc1cd1,
]);

/** Their exponents. */
export const ATAN_EXPONENTS: usize = memory.data<i8>([0, -5, -4, -3, -3, -2, -2, -2, -2, -1, -1, -1, -1, -1, -1, -1, -1]);
