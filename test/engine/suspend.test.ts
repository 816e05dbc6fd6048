import { describe, expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

const SETUP =
  'b800e0 8ec0 2666c7060c00XXXX0000' + // mov ax,0e000h; mov es,ax; mov dword es:[0ch],wake
  'b001e670b0c0e671 b003e670b0c0e671 b005e670b0c0e671' + // RTC alarm: any second, minute, hour
  'b00be670b022e671' + // register B: 24 hours, alarm interrupt
  'ba0206 b8YYYY ef' + // PM1 enable
  'c60600055a' + // mov byte [500h],5ah
  'ba0406 b80024 ef' + // SLP_TYP 1, SLP_EN
  'b007 e6f4'; // not reached
const WAKE =
  'ba0006 ed 80e484' + // in ax,600h; and ah,84h: WAK_STS, RTC_STS
  '31db 8edb a00005 30e0 e6f4'; // mov al,[0:500h]; xor al,ah; out 0f4h,al

const hex16 = (value: number): string => Buffer.from([value & 0xff, value >> 8]).toString('hex');

/** A guest that suspends itself; `enable` is PM1's enable register. */
function sleeper(enable: number) {
  const setup = SETUP.replaceAll(' ', '');
  const wake = 0x7c00 + setup.length / 2;
  const guest = flatGuest(setup.replace('XXXX', hex16(wake)).replace('YYYY', hex16(enable)) + WAKE);
  expect(runToEnd(guest)).toMatchObject({ kind: 'suspended' });
  guest.machine.suspend();
  return guest;
}

describe('S3', () => {
  it('ends with the RTC alarm, at the waking vector in real mode, memory and clocks as they were', () => {
    const guest = sleeper(0x400);
    const { vm, machine } = guest;
    const before = vm.now();
    for (let turns = 0; turns < 100 && vm.end === undefined; turns++) {
      expect(vm.vcpus[0].runnable).toBe(false);
      vm.warpTo(vm.board.nextDeadline()!);
    }
    expect(vm.end).toMatchObject({ kind: 'resumed' });
    const woken = vm.now();
    expect(woken - before).toBeLessThanOrEqual(1e9);
    machine.resume();
    expect(vm.now()).toBe(woken);
    expect(machine.asleep).toBe(false);
    expect(runToEnd(guest)).toMatchObject({
      message: `guest wrote 0x${(0x5a ^ 0x84).toString(16)} to the debug exit port`,
    });
  });

  it('does not end with an alarm that is not enabled for it', () => {
    const { vm, machine } = sleeper(0);
    expect(machine.pc.canWake).toBe(false);
    for (let turns = 0; turns < 100; turns++) vm.warpTo(vm.board.nextDeadline()!);
    expect(vm.end).toBeUndefined();
    expect(machine.haltedForever().message).toBe('the guest sleeps and nothing will wake it');
  });
});
