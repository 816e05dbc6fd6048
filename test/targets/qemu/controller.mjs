/** A vmscope that takes control of a guest and dies by SIGKILL after its Nth word to QEMU; without N it says how many there are. */
import { RspClient } from '../../../dist/rsp/client.js';
import { LibvirtMonitor } from '../../../dist/targets/libvirt/monitor.js';
import { openMonitor } from '../../../dist/targets/qemu/open.js';
import { QmpClient } from '../../../dist/targets/qemu/qmp.js';
import { QemuTarget } from '../../../dist/targets/qemu/target.js';

const [target, folder, at, dieAt] = process.argv.slice(2);
let words = 0;
const counted = (prototype, name) => {
  const own = prototype[name];
  prototype[name] = function (...args) {
    const result = own.apply(this, args);
    // The word is on its way, the answer is not: one turn for the socket to send it.
    if (++words === Number(dieAt)) setImmediate(() => process.kill(process.pid, 'SIGKILL'));
    return result;
  };
};
counted(QmpClient.prototype, 'execute');
counted(LibvirtMonitor.prototype, 'execute');
counted(RspClient.prototype, 'ask');
counted(RspClient.prototype, 'run');

const guest = await QemuTarget.open({ ...(await openMonitor(target)), folder });
const start = words;
const hit = () =>
  new Promise((resolve) => {
    const off = guest.onEvent((event) => {
      if (event.type !== 'stopped') return;
      off();
      resolve(event.stop.kind);
    });
  });
await guest.pause();
await guest.step(0, 3);
await guest.addBreakpoint({ kind: 'execute', gva: BigInt(at) });
for (let n = 0; n < 2; n++) {
  const stopped = hit();
  await guest.resume();
  await stopped;
}
await guest.step(0);
const until = hit();
await guest.resume();
await until;
await guest.detach();
console.log(JSON.stringify({ start, words }));
