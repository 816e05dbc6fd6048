/** A card of QEMU's, whose registers are read and written from outside: QEMU is what ours are compared with. */
import { spawn } from 'node:child_process';

/** `read` and `write` are of 32 bits in the BAR; `config` is a read of configuration space. */
export type Access =
  | ['read' | 'config', number]
  | ['write', number, number]
  /** Memory of the machine: 32 bits. */
  | ['peek', number]
  | ['poke', number, number];

const BASE = 0xe0000000;
const ADDRESS = 0x80000000 | (4 << 11);
const address = (register: number) => `outl 0xcf8 0x${((ADDRESS | register) >>> 0).toString(16)}`;

/** What QEMU's device answers to each access; writes answer 0. `bar` is the one of the registers, in memory. */
export async function onQemu(
  qemu: string,
  device: string,
  bar: number,
  accesses: readonly Access[],
  more: readonly string[] = [],
): Promise<number[]> {
  const lines = [
    address(0x10 + 4 * bar),
    `outl 0xcfc 0x${BASE.toString(16)}`,
    address(0x14 + 4 * bar),
    'inl 0xcfc',
    address(4),
    'outw 0xcfc 0x6',
  ];
  const hex = (value = 0) => `0x${(value >>> 0).toString(16)}`;
  /** Line whose answer counts, for each access. */
  const at: number[] = [];
  for (const [what, where, value] of accesses) {
    if (what === 'config') lines.push(address(where & 0xfc), 'inl 0xcfc');
    else if (what === 'read') lines.push(`readl ${hex(BASE + where)}`);
    else if (what === 'write') lines.push(`writel ${hex(BASE + where)} ${hex(value)}`);
    else if (what === 'peek') lines.push(`readl ${hex(where)}`);
    else lines.push(`writel ${hex(where)} ${hex(value)}`);
    at.push(lines.length - 1);
  }
  const machine = ['-machine', 'pc', '-S', '-m', '16', '-nodefaults', '-display', 'none'];
  const options = [...machine, ...more, '-device', `${device},addr=4`, '-qtest', 'stdio', '-qtest-log', 'none'];
  const answers = await new Promise<string[]>((resolve, reject) => {
    const child = spawn(qemu, options);
    let text = '';
    let errors = '';
    const told = () => text.split('\n').filter((line) => line.startsWith('OK'));
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString();
      // it stays until it is told to go
      if (text.endsWith('\n') && told().length >= lines.length) child.kill('SIGKILL');
    });
    child.stderr.on('data', (bytes: Buffer) => {
      errors += bytes.toString();
    });
    child.on('error', reject);
    child.on('close', () => {
      if (told().length >= lines.length) resolve(told());
      else reject(new Error(`QEMU answered ${told().length} of ${lines.length}: ${errors}`));
    });
    child.stdin.write(`${lines.join('\n')}\n`);
  });
  return at.map((line, i) => (/^(read|config|peek)$/.test(accesses[i][0]) ? Number(answers[line].split(' ')[1]) : 0));
}
