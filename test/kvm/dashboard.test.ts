/** The dashboard over a guest on the host's KVM, as a user starts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { kvmSkipReason } from './tools.js';

const why = kvmSkipReason();
const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const sample = (name: string) => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const PATIENCE_MS = 20_000;

/** Processes that hold a machine: their descriptors and mappings name it. */
function machines(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/maps`, 'latin1').includes('kvm-vcpu');
      } catch {
        return false;
      }
    });
}

describe.skipIf(why !== '')(`engine kvm at 120x40${why === '' ? '' : ` (${why})`}`, () => {
  let tui: Tui;
  beforeAll(async () => {
    tui = new Tui(vmscope, ['run', sample('interrupts'), '--engine', 'kvm', '--wait'], 120, 40);
    await tui.until(/STOPPED: start/, PATIENCE_MS);
  });
  afterAll(() => tui?.kill());

  async function press(keys: string, shown: RegExp): Promise<void> {
    tui.send(keys);
    await tui.until(shown, PATIENCE_MS);
  }

  it('breaks, runs and steps', async () => {
    await press(':goto putc\r', /<putc>/);
    await press('b', /breakpoint 1 at/);
    await press('c', /STOPPED: breakpoint 1 putc/);
    await press('s', /STOPPED: step[\s\S]*►[0-9a-f]{8} \+0x1 /);
    expect(tui.text()).not.toContain('icount');
    expect(tui.text()).not.toContain('no instruction ran');
    await press('n', /►[0-9a-f]{8} \+0x2 /);
    await press(':disable 1\r', /○ 1/);
    await press('f', /STOPPED: target reached[\s\S]*►[0-9a-f]{8} \+0xc/);
  });

  it('shows and changes memory and registers', async () => {
    await press('gm', /\[Mem\/EPT]/);
    await press(':memory rsp-0x100\r', /Memory +gva/);
    await press('\r', /type hex digits/);
    await press('c0ffee', /c0 ff ee/);
    await press('\x1b', /c run/);
    await press('gd', /\[Debug]/);
    await press(':set rbx 0x7654321\r', /\*rbx 0000000007654321/);
  });

  it('says what KVM does not give', async () => {
    await press('gv', /\[VMCS][\s\S]*KVM does not give the VMCS to user space/);
    await press('gd', /EPT +KVM does not give the second-level page tables to user space/);
    await press(':until icount 5\r', /KVM does not count instructions/);
  });

  it('shows exits as they come, counts them with those of KVM, and stops a running guest', async () => {
    await press(':until vmexit EPT_VIOLATION\r', /STOPPED: EPT_VIOLATION[\s\S]*KVM_EXIT_MMIO/);
    await press('gx', /Exits by reason[\s\S]*kvm exits +\d+[\s\S]*IO_INSTRUCTION/);
    await press('c', /ENDED: guest powered off/);
    await tui.until(/EPT_VIOLATION +\d\d/);
    await press('gc', /serial COM1[\s\S]*NMI: 1/);
    await press(':reset\r', /STOPPED: start/);
  });

  it('leaves no machine behind when it quits', async () => {
    const { pid } = tui.proc;
    expect(machines()).toContain(pid);
    tui.send('q');
    expect(await tui.exit).toBe(0);
    expect(machines()).not.toContain(pid);
  });
});

describe.skipIf(why !== '')('a terminal that closes', () => {
  it('takes the machine with it', async () => {
    const tui = new Tui(vmscope, ['run', sample('keyboard'), '--engine', 'kvm'], 100, 30);
    await tui.until(/RUNNING/, PATIENCE_MS);
    const { pid } = tui.proc;
    expect(machines()).toContain(pid);
    // closes the terminal's other end, as a window that is closed does
    tui.hangUp();
    const end = Date.now() + PATIENCE_MS;
    const there = (): boolean => readdirSync('/proc').includes(String(pid));
    while (there() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(there()).toBe(false);
  }, 60_000);
});
