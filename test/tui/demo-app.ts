/** The dashboard over the made-up guest: `demo-app.js [full|bare|failing|hostile] [view]`. */
import { runDashboard, type View } from '../../src/tui/app.js';
import { FakeDebugger, type FakeKind } from './fake-debugger.js';

const kind = (process.argv[2] ?? 'full') as FakeKind;
const view = process.argv[3] as View | undefined;
const debug = new FakeDebugger(kind);
let ticks = 0;
await runDashboard(debug, {
  title: 'demo',
  initialView: view,
  fps: 60,
  resizeTimeout: 20,
  now: () => (ticks += 500),
  onQuit: () => debug.quit().catch(() => undefined),
});
if (process.env.DEMO_LOG) (await import('node:fs')).writeFileSync(process.env.DEMO_LOG, debug.log.join('\n'));
