/** The dashboard in terminals that show pixels: they get those of screendump, under nothing else and no longer than that. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tui } from '../pty.js';
import { named, requireFile, requireTool } from '../tools.js';
import { PictureDecoder } from './picture-decoder.js';

const vmscope = fileURLToPath(new URL('../../bin/vmscope', import.meta.url));
const source = fileURLToPath(new URL('../guests/screens/screen.S', import.meta.url));
const as = requireTool('as');
const bios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const PATIENCE_MS = 30_000;
const [COLUMNS, ROWS] = [110, 45];
const CELL = { width: 8, height: 16 };

/** Questions and what such a terminal says to them, in the order of the questions. */
const ANSWERS: Record<string, [question: string, answer: string][]> = {
  kitty: [
    ['\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\', '\x1b_Gi=31;OK\x1b\\'],
    ['\x1b[16t', '\x1b[6;16;8t'],
    ['\x1b[c', '\x1b[?62;c'],
  ],
  sixel: [
    ['\x1b[16t', '\x1b[6;16;8t'],
    ['\x1b[?1;1;0S', '\x1b[?1;0;256S'],
    ['\x1b[?2;1;0S', '\x1b[?2;0;4000;4000S'],
    ['\x1b[c', '\x1b[?62;4;22c'],
  ],
  rubbish: [
    ['\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\', `\x1b_G${'q'.repeat(10_000)}`],
    ['\x1b[16t', '\x1b[6;99999999;0t\x1b[6;;;t\x1bP$r\x1b\\'],
    ['\x1b[c', '\x1b\\\x1b[?c\x1b[?99999;;;c'],
  ],
};

/** A terminal of such a kind. */
class PictureTui extends Tui {
  readonly decoder = new PictureDecoder(CELL, COLUMNS, ROWS);
  #answered = 0;
  #questions: [string, string][];

  constructor(args: string[], kind: string) {
    super(vmscope, args, COLUMNS, ROWS, { VMSCOPE_NO_CONFIG: '1' });
    this.#questions = ANSWERS[kind]!;
  }

  protected override take(data: string): void {
    super.take(data);
    this.decoder.take(data);
    // what was asked, in its order; each question once
    for (;;) {
      const next = this.#questions
        .map(([question, answer]) => ({ at: this.raw.indexOf(question, this.#answered), question, answer }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at)[0];
      if (!next) return;
      this.#answered = next.at + next.question.length;
      this.proc.write(next.answer);
    }
  }

  /** The emulator behind it is another terminal. */
  protected override answer(): void {}

  async when(holds: () => boolean, what: string): Promise<void> {
    for (const start = Date.now(); !holds(); await new Promise((resolve) => setTimeout(resolve, 20)))
      if (Date.now() - start > PATIENCE_MS) throw new Error(`${what} in\n${this.text()}`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'vmscope-pixels-'));
const image = join(folder, 'screen.img');
beforeAll(() => {
  if (!as.available) return;
  execFileSync('as', ['--32', '--defsym', 'MODE_13H=1', '-o', `${image}.o`, source]);
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', '-o', image, `${image}.o`]);
  truncateSync(image, 1440 * 1024);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Pixels of a PPM that screendump wrote. */
function ppm(file: string): { width: number; height: number; rgb: Uint8Array } {
  const bytes = readFileSync(file);
  const [head, width, height] = /^P6\n(\d+) (\d+)\n255\n/.exec(bytes.toString('latin1', 0, 40))!;
  return { width: Number(width), height: Number(height), rgb: bytes.subarray(head.length) };
}

describe.each(['kitty', 'sixel'])('a guest in mode 13h in a terminal with %s', (kind) => {
  it.skipIf(!as.available || !bios.available)(
    named('is its screendump, goes under a dialog, and is gone with the view', as, bios),
    async () => {
      const tui = new PictureTui(['run', image], kind);
      const { decoder } = tui;
      try {
        await tui.until(/\[Debug\]/, PATIENCE_MS);
        tui.send('gc');
        await tui.until(/VGA 320x200, 256 colours/, PATIENCE_MS);
        const file = join(folder, `${kind}.ppm`);
        await tui.until(/HALTED/, PATIENCE_MS);
        tui.send(`:screendump ${file}\r`);
        await tui.until(/screen\S* (?:was )?written|\.ppm/, PATIENCE_MS);
        await tui.when(() => tui.text().includes('ppm') && readFileSync(file).length > 0, 'no file');
        const wanted = ppm(file);
        expect([wanted.width, wanted.height]).toEqual([640, 400]);
        const shown = () => {
          try {
            return kind === 'kitty' ? decoder.joined() : decoder.sixelPicture();
          } catch {
            return undefined;
          }
        };
        // sixels tell a hundredth of a colour
        const most = kind === 'kitty' ? 0 : 2;
        const equal = (): boolean => {
          const now = shown();
          if (now?.width !== 640 || now.height !== 400) return false;
          return now.rgb.every((value, i) => Math.abs(value - wanted.rgb[i]!) <= most);
        };
        await tui.when(equal, 'not the picture of screendump');
        const cellsOfPicture = /▀/;
        expect(tui.text()).not.toMatch(cellsOfPicture);
        tui.send('?');
        await tui.until(/Keys and commands/, PATIENCE_MS);
        await tui.when(() => decoder.images.size === 0, 'the picture lies over the help');
        const before = decoder.sixels;
        tui.send('\x1b');
        await tui.when(() => equal() && (kind === 'kitty' || decoder.sixels > before), 'it does not come again');
        tui.send('i');
        await tui.until(/the guest has the keys and mouse: ctrl-\]/, PATIENCE_MS);
        expect(tui.raw).toContain('\x1b[?1003h');
        tui.send('\x1d');
        await tui.until(/q quit/, PATIENCE_MS);
        expect(tui.raw).toContain('\x1b[?1003l');
        tui.send('gd');
        await tui.until(/Disassembly/, PATIENCE_MS);
        await tui.when(() => decoder.images.size === 0, 'the picture stays');
        tui.send('q');
        await tui.until(/End it and quit/, PATIENCE_MS);
        tui.send('y');
        expect(await tui.exit).toBe(0);
      } finally {
        tui.kill();
      }
    },
    2 * PATIENCE_MS,
  );
});

it.skipIf(!as.available || !bios.available)(
  named('a terminal that answers with rubbish gets blocks, and nobody takes that for keys', as, bios),
  async () => {
    const tui = new PictureTui(['run', image], 'rubbish');
    try {
      await tui.until(/\[Debug\]/, PATIENCE_MS);
      tui.send('gc');
      await tui.until(/VGA 320x200, 256 colours[\s\S]*▀▀▀/, PATIENCE_MS);
      await tui.settle(600, PATIENCE_MS);
      expect(tui.text()).not.toMatch(/End it and quit/);
      tui.send('gd');
      await tui.until(/Disassembly/, PATIENCE_MS);
    } finally {
      tui.kill();
    }
  },
  2 * PATIENCE_MS,
);
