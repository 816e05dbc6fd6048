import { describe, expect, it } from 'vitest';
import { QEMU_WORDS, withoutQemuWords } from '../../src/cli/qemu-words.js';
import { vmscope } from './vmscope.js';

const ours = (line: string): string => withoutQemuWords(line.split(' ')).join(' ');

describe("QEMU's words", () => {
  it('are taken as the option that means the same', () => {
    const rows: [string, string][] = [
      ['-kernel bzImage -initrd rd.gz -append quiet', '--kernel bzImage --initrd rd.gz --append quiet'],
      ['-hda a.img -hdb b.qcow2', '--disk a.img,if=ide --disk b.qcow2,if=ide'],
      ['-fda a.img -snapshot', '--disk a.img,if=floppy,snapshot=on'],
      ['-cdrom x.iso -bios b.bin', '--cdrom x.iso --bios b.bin'],
      ['-drive file=a.img,format=raw,if=virtio,cache=none', '--disk a.img,format=raw,if=virtio'],
      ['-drive file=x.iso,media=cdrom', '--cdrom x.iso'],
      ['-drive file=a.img,if=none,id=d -device ahci,id=ahci -device ide-hd,drive=d,bus=ahci.0', '--disk a.img,if=sata'],
      [
        '-drive file=x.iso,media=cdrom,if=none,id=d -device ide-cd,drive=d,bus=ahci.1',
        '--disk x.iso,media=cdrom,if=sata',
      ],
      ['-drive file=a.img,if=none,id=d -device virtio-blk-pci,drive=d', '--disk a.img,if=virtio'],
      ['-drive file=a.img,if=none,id=d -device nvme,drive=d,serial=a-1', '--disk a.img,if=nvme,serial=a-1'],
      ['-drive file=x.iso,media=cdrom,serial=a', '--disk x.iso,media=cdrom,serial=a,if=ide'],
      ['-hda a.img -snapshot', '--disk a.img,if=ide,snapshot=on'],
      ['-smp 4', '--vcpus 4'],
      ['-smp sockets=2,cores=2,threads=1', '--vcpus 4'],
      ['-nographic', '--headless --serial stdio'],
      ['-enable-kvm', '--engine kvm'],
      ['-accel tcg', '--engine vtx'],
      ['-machine pc,accel=kvm:tcg', '--engine kvm'],
      ['-serial mon:stdio', '--serial stdio'],
      ['-serial null -monitor none', '--serial none'],
      ['-gdb tcp::1234 -s -S', '--gdb 1234 -s -S'],
      ['-nic user,model=virtio,hostfwd=tcp::2222-:22', '--net user,hostfwd=tcp::2222-:22'],
      ['-netdev user,id=n0 -device virtio-net-pci,netdev=n0', '--net user'],
      ['-netdev user,id=n0,tftp=/srv,bootfile=a.0,hostname=b', '--net user,tftp=/srv,bootfile=a.0,hostname=b'],
      ['-boot order=nc', '--boot order=nc'],
      ['-netdev user,id=n0 -device e1000,netdev=n0,mac=52:54:00:12:34:57', '--net user,model=e1000'],
      ['-net nic,model=e1000 -net user,hostfwd=tcp::1-:2', '--net user,hostfwd=tcp::1-:2,model=e1000'],
      ['-nic user', '--net user,model=e1000'],
      ['-net user -net nic', '--net user,model=e1000'],
      ['-nic user,model=e1000', '--net user,model=e1000'],
      ['-device isa-debug-exit,iobase=0xf4', '--isa-debug-exit'],
      ['-device virtio-rng-pci', '--device virtio-rng'],
      ['-m 512 -m1G', '-m 512 -m1G'],
      ['--append -quiet image', '--append -quiet image'],
      ['-fdb b.img', '--disk b.img,if=floppy'],
      ['-cpu host,-avx2', '--cpu host,-avx2'],
      ['-M pc', ''],
      ['-M type=pc-i440fx-9.2,accel=tcg', '--engine vtx'],
      ['-display none -vnc :1', '--vnc :1'],
      ['-name guest=a,debug-threads=on', '--name a'],
      ['-rtc base=2026-01-31T12:00:00,clock=vm', '--rtc 2026-01-31T12:00:00'],
      ['-rtc clock=host', ''],
      ['-icount 5', '--clock icount,shift=5'],
      ['-icount shift=3', '--clock icount,shift=3'],
      ['-debugcon file:log', '--debugcon log'],
      ['-debugcon stdio', '--debugcon stdio'],
      ['-incoming tcp:127.0.0.1:9', '--incoming tcp:127.0.0.1:9'],
      ['-no-reboot -no-shutdown -nodefaults -no-user-config', '--no-reboot'],
      ['-serial unix:/s,server=on', '--serial unix:/s'],
    ];
    for (const [theirs, expected] of rows) expect(ours(theirs)).toBe(expected);
    const tried = new Set(rows.flatMap(([theirs]) => theirs.split(' ')));
    for (const word of QEMU_WORDS) expect(tried).toContain(`-${word}`);
  });

  it('without a counterpart are named with the way out', () => {
    for (const [line, message] of [
      ['-vga std', /^-vga: no option/],
      ['-machine q35', /^-machine q35: .*i440FX/],
      ['-accel hvf', /^-accel hvf: .*--engine takes vtx, kvm and auto/],
      ['-nic tap', /^-nic tap: .*--net takes none and user/],
      ['-display gtk', /^-display gtk: the screen is in the dashboard/],
      ['-kernel', /^-kernel: a value is missing/],
      ['-drive format=raw', /^-drive format=raw: no file=/],
    ] as const)
      expect(() => ours(line)).toThrow(message);
  });

  it('start a guest, and a sample goes by its name from any folder', async () => {
    const whole = await vmscope(['run', 'samples/long-mode', '--headless']);
    expect(whole.stdout).toContain('r15 kept its 64 bits');
    for (const words of [
      ['-kernel', 'long-mode', '-nographic', '-m', '64'],
      ['long-mode', '--headless'],
    ])
      expect(await vmscope(words)).toEqual(whole);
  });
});
