/** Pictures made smaller, for who has less room. */
/** Room for a picture that keeps its shape, in pixels that are `aspect` times as high as wide (default 1). */
export interface FitInto {
  width: number;
  height: number;
  aspect?: number;
}

/** Lines of a large picture that make one of a small one, at most. */
const SAMPLES = 4;

/** The largest size that keeps a picture's shape in a room; at least a pixel, and larger than the picture where there is room. */
export function fitted(
  { width, height }: { width: number; height: number },
  room: FitInto,
): { width: number; height: number } {
  const { aspect = 1 } = room;
  const share = Math.min(room.width / width, (room.height * aspect) / height);
  const part = (length: number, most: number): number => Math.max(1, Math.min(most, Math.round(length * share)));
  return { width: part(width, room.width), height: part(height / aspect, room.height) };
}

/** Each pixel is the mean of those in its place, of some of their lines. */
export function smaller(
  lines: { width: number; height: number; draw(y: number, to: Uint8Array): void },
  size: { width: number; height: number },
): { width: number; height: number; rgb: Uint8Array } {
  const width = Math.max(1, size.width);
  const height = Math.max(1, size.height);
  const rgb = new Uint8Array(width * height * 3);
  const line = new Uint8Array(lines.width * 3);
  const sums = new Float64Array(width * 3);
  for (let y = 0; y < height; y++) {
    const first = Math.floor((y * lines.height) / height);
    const count = Math.max(1, Math.floor(((y + 1) * lines.height) / height) - first);
    const taken = Math.min(count, SAMPLES);
    sums.fill(0);
    for (let i = 0; i < taken; i++) {
      lines.draw(first + Math.floor((i * count) / taken), line);
      for (let x = 0; x < width; x++) addMean(line, lines.width, width, x, sums);
    }
    for (let i = 0; i < width * 3; i++) rgb[y * width * 3 + i] = Math.round(sums[i] / taken);
  }
  return { width, height, rgb };
}

function addMean(line: Uint8Array, from: number, to: number, x: number, sums: Float64Array): void {
  const first = Math.floor((x * from) / to);
  const end = Math.max(first + 1, Math.floor(((x + 1) * from) / to));
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    for (let at = first; at < end; at++) sum += line[at * 3 + channel];
    sums[x * 3 + channel] += sum / (end - first);
  }
}
