import type { Command } from '../command.js';
import { PERMISSIONS, type Permission } from '../permissions.js';

const isPermission = (name: string): name is Permission => PERMISSIONS.some((known) => known === name);

/**
 * `QAllow:op:0|1;...`: what the client wants to be able to do; a debugger with `set observer on` takes all of it away.
 * Operations that are not named stay as they are, and nothing changes where one is unknown.
 */
export const allow: Command = {
  name: 'QAllow',
  run(args, session) {
    const changes = new Map<Permission, boolean>();
    for (const text of args.slice(1).split(';')) {
      const [name, value, ...rest] = text.split(':');
      if (args[0] !== ':' || !isPermission(name) || (value !== '0' && value !== '1') || rest.length > 0)
        return session.error(22, `QAllow:${text} is not one of ${PERMISSIONS.join(', ')} with :0 or :1`);
      changes.set(name, value === '1');
    }
    for (const [name, allowed] of changes) session.permissions[name] = allowed;
    return 'OK';
  },
};
