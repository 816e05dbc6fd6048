/**
 * What a WebAssembly memory of 64-bit addresses would cost, which guests with more than 3 GiB of RAM need: a copy loop as compiled
 * guest code has it, a look into the TLB before each access, on memories of both kinds. Node before 24 needs
 * `node --experimental-wasm-memory64 build/bench/bench/wide-memory.js`.
 */
import binaryen from 'binaryen';

const COPIES = 30_000_000;
const RUNS = 12;
const READ_TLB = 0x20000;
const WRITE_TLB = 0x24000;
const FROM = 0x100000;
const TO = 0x200000;
const PAGES = 9;

type Width = 'i32' | 'i64';

/** `tag` and `addend` of a TLB's entry stand 16 bytes apart; the loop copies 32 KiB over and over, 8 bytes a round. */
function loop(width: Width): string {
  const address = (value: string): string => (width === 'i64' ? value : `(i32.wrap_i64 ${value})`);
  const entry = address(
    '(i64.shl (i64.and (i64.shr_u (local.get $la) (i64.const 12)) (i64.const 1023)) (i64.const 4))',
  );
  const look = (tlb: number): string => `
    (local.set $entry ${entry})
    (if (i64.ne (i64.and (i64.add (local.get $la) (i64.const 7)) (i64.const -4096)) (i64.load offset=${tlb} (local.get $entry)))
      (then unreachable))`;
  const place = (tlb: number): string =>
    `(${width}.add ${address('(local.get $la)')} (${width}.load offset=${tlb + 8} (local.get $entry)))`;
  return `(module (memory ${width} 1024)
  (func (export "run") (param $n i64)
    (local $i i64) (local $la i64) (local $entry ${width}) (local $value i64)
    (loop $again
      (local.set $la (i64.add (i64.const ${FROM}) (i64.shl (i64.and (local.get $i) (i64.const 0xfff)) (i64.const 3))))
      ${look(READ_TLB)}
      (local.set $value (i64.load ${place(READ_TLB)}))
      (local.set $la (i64.add (local.get $la) (i64.const ${TO - FROM})))
      ${look(WRITE_TLB)}
      (i64.store ${place(WRITE_TLB)} (local.get $value))
      (br_if $again (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n)))))
  (func (export "fill") (param $at ${width}) (param $tag i64) (i64.store (local.get $at) (local.get $tag))))`;
}

/** Processor ns a copy, the best of several runs. */
function copyNs(width: Width): number {
  const module = binaryen.parseText(loop(width));
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error(`the loop over ${width} is no module`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(module.emitBinary())));
  const { run, fill } = exports as Record<'run' | 'fill', (...args: (number | bigint)[]) => void>;
  for (const [tlb, start] of [
    [READ_TLB, FROM],
    [WRITE_TLB, TO],
  ]) {
    for (let la = start; la < start + PAGES * 4096; la += 4096) {
      const at = tlb + ((la >>> 12) & 1023) * 16;
      fill(width === 'i64' ? BigInt(at) : at, BigInt(la));
    }
  }
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < RUNS; n++) {
    const before = process.cpuUsage();
    run(BigInt(COPIES));
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, user + system);
  }
  return (best * 1000) / COPIES;
}

const [narrow, wide] = [copyNs('i32'), copyNs('i64')];
console.log(
  `a copy of 8 bytes takes ${narrow.toFixed(2)} ns in a memory of 32-bit addresses, ${wide.toFixed(2)} ns in one of 64`,
);
