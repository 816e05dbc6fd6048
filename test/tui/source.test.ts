/** Source lines beside the code, in the real program on a guest with a line table. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { named, requireTool } from '../tools.js';

const tools = ['as', 'ld'].map(requireTool);
const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));

describe.skipIf(tools.some((tool) => !tool.available))(named('source beside the code', ...tools), () => {
  let folder: string;
  let tui: Tui | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-source-'));
    writeFileSync(
      join(folder, 'tiny.S'),
      '.globl _start\n_start:\n  mov $0x12, %eax  # the answer\n  cli\n1: hlt\n  jmp 1b\n',
    );
    execFileSync(tools[0].path, ['--gdwarf-5', '-o', 'tiny.o', 'tiny.S'], { cwd: folder });
    execFileSync(tools[1].path, ['-Ttext=0x200000', '-o', 'tiny.elf', 'tiny.o'], { cwd: folder });
  });
  afterAll(() => {
    tui?.kill();
    rmSync(folder, { recursive: true });
  });

  it('shows file, line and text of each line once, and follows a step', async () => {
    tui = new Tui(vmscope, ['run', join(folder, 'tiny.elf'), '--wait'], 200, 60);
    await tui.until(/►00200000 <_start> .*mov +eax, 0x12 +; tiny\.S:3 {2}mov \$0x12, %e/);
    expect(tui.text().match(/tiny\.S:3/g)).toHaveLength(1);
    tui.send('s');
    await tui.until(/►00200005 .*cli.*tiny\.S:4 {2}cli/);
  });
});
