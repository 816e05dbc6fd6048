import type { ExitHandler } from '../exit.js';
import { switchTask } from '../task-switch.js';

/** Task switches always exit from non-root operation; the VMM does them. @sdm 3C 25.4.2 "Treatment of Task Switches" */
export const taskSwitchExit: ExitHandler = (vcpu, vm) => switchTask(vcpu, vm);
