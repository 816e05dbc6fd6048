import type { Session } from './session.js';

/** Payload of the reply; `''` says unsupported; undefined: nothing is sent now (the stop comes later). */
export type Reply = string | undefined;

/** One packet of the protocol. */
export interface Command {
  /** A letter, or the name up to `:`, `;`, `,` or `=`. */
  name: string;
  /** The arguments hold escaped binary, in which `*` is an ordinary byte. */
  binary?: boolean;
  /** @param args what follows the name, its delimiter included; latin1, one char per byte. */
  run(args: string, session: Session): Reply | Promise<Reply>;
}
