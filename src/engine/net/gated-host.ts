import { type HostNetwork, NO_HOST } from './host-network.js';

/** A host's network that hears nothing while the gate is shut: what a guest repeats of its past has been sent already. */
export function gatedHost(host: HostNetwork, shut: () => boolean): HostNetwork {
  const way = (): HostNetwork => (shut() ? NO_HOST : host);
  return {
    connect: (...args) => way().connect(...args),
    send: (...args) => way().send(...args),
    end: (...args) => way().end(...args),
    abort: (...args) => way().abort(...args),
    pause: (...args) => way().pause(...args),
    sendDatagram: (...args) => way().sendDatagram(...args),
    closeDatagrams: (...args) => way().closeDatagrams(...args),
  };
}
