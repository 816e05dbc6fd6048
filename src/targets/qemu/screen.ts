/** The text screen of a guest's VGA, read from its video memory while it runs. */
import type { VgaText } from '../../engine/debugger.js';
import type { ProcessMemory } from './process-memory.js';
import type { Monitor } from './qmp.js';

const COLUMNS = 80;
const ROWS = 25;

/**
 * 80 x 25 cells at the start of video memory: its planes lie interleaved, character and attribute first. Undefined when
 * there is no such memory, or what stands there is no text.
 */
export async function textScreen(memory: ProcessMemory, monitor: Monitor): Promise<VgaText | undefined> {
  await memory.refresh();
  const video = memory.ranges.find(
    ({ name }) => /^(vga|cirrus|qxl|vmware|bochs-display)[\w.-]*\.?v?ram$/.test(name) && !/mmio|lowmem/.test(name),
  );
  if (!video || video.end - video.start < BigInt(COLUMNS * ROWS * 4)) return undefined;
  void monitor;
  const bytes = memory.read(video.start, COLUMNS * ROWS * 4);
  if (bytes.length < COLUMNS * ROWS * 4) return undefined;
  const cells = new Uint16Array(COLUMNS * ROWS);
  const colours = new Map<number, number>();
  for (let n = 0; n < cells.length; n++) {
    cells[n] = bytes[4 * n]! | (bytes[4 * n + 1]! << 8);
    colours.set(bytes[4 * n + 1]!, (colours.get(bytes[4 * n + 1]!) ?? 0) + 1);
  }
  // A picture has no colour in most of its cells that a text would have.
  const most = [...colours].sort((a, b) => b[1] - a[1])[0]!;
  return most[0] !== 0 && most[1] > cells.length / 3 ? { columns: COLUMNS, rows: ROWS, cells } : undefined;
}
