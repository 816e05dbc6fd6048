/** Traces a process through tracefs and waits to be killed. */
import { ExitEvents } from '../../../dist/targets/kvm-host/events.js';
import { TracefsSession } from '../../../dist/targets/kvm-host/tracefs-session.js';

const [tracing, pid] = process.argv.slice(2);
const session = new TracefsSession(tracing, ExitEvents.of(tracing), [Number(pid)]);
process.stdout.write('tracing\n');
setInterval(
  () =>
    session.poll(
      () => {},
      () => {},
    ),
  100,
);
