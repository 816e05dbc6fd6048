/*
 * A UEFI application that asks the Graphics Output Protocol for a mode, leaves the boot services and paints, as a kernel's own loader does.
 *   gcc -mabi=ms -mno-red-zone -fpic -ffreestanding -c gop.c; objcopy -O pe-x86-64; ld -m i386pep --subsystem 10 -e efi_main
 */
#include "paint.h"

#define WIDTH 1024
#define HEIGHT 768

struct guid {
  u32 a;
  u16 b, c;
  u8 d[8];
};

struct mode_information {
  u32 version, width, height, format;
  u32 masks[4];
  u32 pixels_a_line;
};

struct graphics_mode {
  u32 count, mode;
  struct mode_information *information;
  u64 information_bytes, base, bytes;
};

struct graphics {
  u64 (*query)(struct graphics *, u32, u64 *, struct mode_information **);
  u64 (*set)(struct graphics *, u32);
  void *blt;
  struct graphics_mode *mode;
};

enum service { GET_MEMORY_MAP = 4, EXIT_BOOT_SERVICES = 26, LOCATE_PROTOCOL = 37 };

struct boot_services {
  u8 header[24];
  void *services[44];
};

struct system_table {
  u8 header[24];
  void *vendor;
  u64 revision;
  void *console[6];
  void *runtime;
  struct boot_services *boot;
};

typedef u64 (*locate_protocol)(const struct guid *, void *, struct graphics **);
typedef u64 (*get_memory_map)(u64 *, u8 *, u64 *, u64 *, u32 *);
typedef u64 (*exit_boot_services)(void *, u64);

static u8 map[65536];

u64 efi_main(void *image, struct system_table *system) {
  const struct guid protocol = {0x9042a9de, 0x23dc, 0x4a38, {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};
  void **services = system->boot->services;
  struct graphics *graphics;
  if (((locate_protocol)services[LOCATE_PROTOCOL])(&protocol, 0, &graphics)) return 1;
  for (u32 i = 0; i < graphics->mode->count; i++) {
    struct mode_information *of;
    u64 bytes;
    if (graphics->query(graphics, i, &bytes, &of)) continue;
    if (of->width == WIDTH && of->height == HEIGHT) {
      if (graphics->set(graphics, i)) return 2;
      break;
    }
  }
  u64 bytes = sizeof map, key, size;
  u32 version;
  if (((get_memory_map)services[GET_MEMORY_MAP])(&bytes, map, &key, &size, &version)) return 3;
  if (((exit_boot_services)services[EXIT_BOOT_SERVICES])(image, key)) return 4;
  const struct mode_information *of = graphics->mode->information;
  struct component high = {16, 8}, middle = {8, 8}, low = {0, 8};
  /* format 0 has red first, format 1 blue */
  struct frame to = {(u8 *)graphics->mode->base, of->pixels_a_line * 4, of->width, of->height, 4,
                     of->format ? high : low,    middle,                of->format ? low : high};
  paint(&to);
  for (;;) __asm__ volatile("cli; hlt");
}
