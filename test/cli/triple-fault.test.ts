import { expect, it } from 'vitest';
import { SAMPLES, vmscope } from './vmscope.js';

it('prints the chain of faults behind a triple fault', async () => {
  const { status, stdout, stderr } = await vmscope(['run', `${SAMPLES}/triple-fault`, '--headless']);
  expect(status).toBe(1);
  expect(stdout).not.toContain('still here');
  const [head, ...chain] = stderr.trimEnd().split('\n');
  expect(head).toMatch(/triple fault on vCPU 0 at RIP 0x[0-9a-f]+$/);
  expect(chain.map((line) => line.replace(/0x8:0x[0-9a-f]+/, 'CS:RIP'))).toEqual([
    '  1. #PF Page Fault reading 0x4000123456, error 0x0 (not present), instruction at CS:RIP',
    '  2. #PF Page Fault reading 0x40000010e0, error 0x0 (not present), while delivering #PF',
    '  3. #DF Double Fault',
    '  4. #PF Page Fault reading 0x4000001080, error 0x0 (not present), while delivering #DF',
    '  5. triple fault',
  ]);
});
