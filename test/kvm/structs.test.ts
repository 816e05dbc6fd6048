import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CAPABILITIES } from '../../src/engine/host/kvm/capabilities.js';
import * as exits from '../../src/engine/host/kvm/exits.js';
import { IOCTLS } from '../../src/engine/host/kvm/ioctls.js';
import { KVM_SREGS, KvmStruct, LAYOUTS } from '../../src/engine/host/kvm/structs.js';
import { toolOrSkip } from './tools.js';

/** Our dotted names for members of the header's anonymous unions. */
function cMember(layout: string, field: string): string {
  if (layout === 'kvm_run') {
    if (field === 'exit') return 'hw';
    if (field === 'exit.padding') return 'padding';
    return field.replace(/^exit\./, '').replace(/^s\.regs/, 's.regs');
  }
  return field;
}

/** Fields that the header declares otherwise (an anonymous union of a pointer and padding; no such bits at all). */
const RENAMED: Record<string, string> = {
  'kvm_ioapic_state.redirtbl': 'redirtbl',
};

/** Newer than some distributions' headers: compared only where the header has them. */
const names = (table: Record<string, number>): string[] => Object.keys(table);

describe('data of linux/kvm.h', () => {
  const skip = toolOrSkip('gcc', existsSync('/usr/include/linux/kvm.h'), '/usr/include/linux/kvm.h');

  it.skipIf(skip)('sizes, offsets, requests, exit reasons and capabilities are those of the header', () => {
    const lines: string[] = [];
    for (const layout of LAYOUTS) {
      lines.push(`printf("size ${layout.name} %zu\\n", sizeof(struct ${layout.name}));`);
      for (const field of Object.keys(layout.fields)) {
        const member = RENAMED[`${layout.name}.${field}`] ?? cMember(layout.name, field);
        lines.push(`printf("offset ${layout.name} ${field} %zu\\n", offsetof(struct ${layout.name}, ${member}));`);
      }
    }
    const constants = [
      ...names(IOCTLS),
      ...names(exits.EXIT_REASONS),
      ...names(exits.INTERNAL_ERRORS),
      ...names(exits.MP_STATES),
      ...names(CAPABILITIES),
      ...Object.keys(exits).filter((name) => /^KVM_/.test(name)),
    ];
    for (const name of constants) {
      lines.push(`#ifdef ${name}\nprintf("constant ${name} %llu\\n", (unsigned long long)(${name}));\n#endif`);
    }
    const source = `#include <stddef.h>\n#include <stdio.h>\n#include <linux/kvm.h>\nint main(void){\n${lines.join('\n')}\n}\n`;
    const folder = mkdtempSync(join(tmpdir(), 'vmscope-kvm-'));
    try {
      writeFileSync(join(folder, 'k.c'), source);
      execFileSync('gcc', ['-o', join(folder, 'k'), join(folder, 'k.c')]);
      const header = execFileSync(join(folder, 'k'), { encoding: 'utf8' }).trim().split('\n');

      const ours = new Map<string, string>();
      for (const layout of LAYOUTS) {
        ours.set(`size ${layout.name}`, String(layout.size));
        for (const [field, { offset }] of Object.entries(layout.fields)) {
          ours.set(`offset ${layout.name} ${field}`, String(offset));
        }
      }
      const flat: Record<string, unknown> = {
        ...IOCTLS,
        ...exits.EXIT_REASONS,
        ...exits.INTERNAL_ERRORS,
        ...exits.MP_STATES,
        ...CAPABILITIES,
        ...exits,
      };
      for (const name of constants) ours.set(`constant ${name}`, String(flat[name]));
      const wrong = header.filter((line) => {
        const cut = line.lastIndexOf(' ');
        return ours.get(line.slice(0, cut)) !== line.slice(cut + 1);
      });
      expect(wrong).toEqual([]);
      expect(header.length).toBeGreaterThan(400);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('KvmStruct reads and writes by name', () => {
    const sregs = new KvmStruct(KVM_SREGS);
    sregs.set('cs.selector', 0x1234).set('cs.base', 0xffff_0000).set('cr0', 0x6000_0010n);
    expect(sregs.get('cs.selector')).toBe(0x1234);
    expect(sregs.getBig('cs.base')).toBe(0xffff_0000n);
    expect(sregs.view.getBigUint64(sregs.offset('cr0'), true)).toBe(0x6000_0010n);
    expect(() => sregs.get('cs.nothing')).toThrow('kvm_sregs has no field cs.nothing');
    expect(() => sregs.get('cr0')).toThrow('not a scalar of up to 32 bits');
  });
});
