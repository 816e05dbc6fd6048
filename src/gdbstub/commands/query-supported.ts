import type { Command } from '../command.js';
import { PACKET_SIZE } from '../session.js';

/**
 * `qSupported:feature;...`: what both sides can do. Reasons of stops are used only if the client announced them.
 * No memory map is offered: with one, GDB refuses every address outside it.
 */
export const querySupported: Command = {
  name: 'qSupported',
  run(args, session) {
    const announced = new Set(args.replace(/^:/, '').split(';'));
    const { features } = session;
    features.swbreak = announced.has('swbreak+');
    features.hwbreak = announced.has('hwbreak+');
    features.multiprocess = announced.has('multiprocess+');
    features.execEvents = announced.has('exec-events+');
    features.errorMessage = announced.has('error-message+');
    const reply = [
      `PacketSize=${PACKET_SIZE.toString(16)}`,
      'QStartNoAckMode+',
      'qXfer:features:read+',
      'qXfer:threads:read+',
      'vContSupported+',
      'ConditionalBreakpoints+',
      'BreakpointCommands+',
      'binary-upload+',
      'qXfer:siginfo:read+',
      'QAllow+',
      'QNonStop+',
    ];
    if (session.target.catchSyscalls !== undefined) reply.push('QCatchSyscalls+');
    if (session.target.tracing !== undefined)
      reply.push('ConditionalTracepoints+', 'tracenz+', 'QTBuffer:size+', 'qXfer:traceframe-info:read+');
    if (session.target.recentExits !== undefined) reply.push('StaticTracepoints+', 'qXfer:statictrace:read+');
    if (session.target.reverse !== undefined) reply.push('ReverseStep+', 'ReverseContinue+');
    if (session.target.osTables !== undefined) reply.push('qXfer:osdata:read+');
    if (session.target.libraries !== undefined) reply.push('qXfer:libraries:read+');
    if (session.target.kernel !== undefined) reply.push('qXfer:exec-file:read+');
    if (features.swbreak) reply.push('swbreak+');
    if (features.hwbreak) reply.push('hwbreak+');
    if (features.multiprocess) reply.push('multiprocess+');
    if (features.execEvents) reply.push('exec-events+');
    return reply.join(';');
  },
};
