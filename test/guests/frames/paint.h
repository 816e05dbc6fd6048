/* A picture that tells each pixel's place, and shows a wrong pitch, a wrong order of colours and a wrong end at once. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct component {
  u8 position, bits;
};

struct frame {
  u8 *bytes;
  u32 pitch, width, height, bytes_a_pixel;
  struct component red, green, blue;
};

static u32 component(struct component of, u32 value) { return (value >> (8 - of.bits)) << of.position; }

static u32 pixel(const struct frame *to, u32 red, u32 green, u32 blue) {
  return component(to->red, red & 255) | component(to->green, green & 255) | component(to->blue, blue & 255);
}

static void paint(const struct frame *to) {
  for (u32 y = 0; y < to->height; y++) {
    for (u32 x = 0; x < to->width; x++) {
      u32 edge = x == 0 || y == 0 || x == to->width - 1 || y == to->height - 1;
      u32 value = edge ? pixel(to, 255, 255, 255) : pixel(to, x, y, (x * y) >> 6);
      volatile u8 *at = to->bytes + (u64)y * to->pitch + x * to->bytes_a_pixel;
      for (u32 i = 0; i < to->bytes_a_pixel; i++) at[i] = value >> (8 * i);
    }
  }
}
