/** libvirt's connection URIs: `driver[+transport]://[user@][host][:port]/path[?parameters]`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export interface LibvirtUri {
  /** As the user wrote it. */
  text: string;
  /** What the daemon is asked to open: the URI without transport and host. */
  name: string;
  driver: string;
  transport: 'unix' | 'ssh';
  session: boolean;
  host?: string;
  user?: string;
  port?: number;
  /** `socket`, `command`, `keyfile`, `netcat`, as libvirt has them. */
  parameters: URLSearchParams;
}

const FORM = /^([a-z]\w*)(?:\+([a-z]\w*))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?(.*))?$/i;
/** Neither an option of ssh nor more than one word. */
const HOST = /^[A-Za-z0-9_.:[\]][\w.:[\]-]*$/;
const USER = /^[A-Za-z0-9_][\w.-]*$/;

/** @throws Error that names the URI and what is wrong with it */
export function parseUri(text: string): LibvirtUri {
  const parts = FORM.exec(text);
  if (!parts) throw new Error(`${text}: not a libvirt URI such as qemu:///system or qemu+ssh://HOST/system`);
  const [, driver, transport, authority, path, query] = parts as string[];
  const parameters = new URLSearchParams(query ?? '');
  const at = authority!.lastIndexOf('@');
  const user = at < 0 ? undefined : authority!.slice(0, at);
  const port = /:(\d{1,5})$/.exec(authority!)?.[1];
  const host = authority!.slice(at + 1, port ? -port.length - 1 : undefined) || undefined;
  const way = transport ?? (host ? 'tls' : 'unix');
  if (way !== 'unix' && way !== 'ssh')
    throw new Error(
      `${text}: transport ${way} is not one of vmscope's: use ${driver}+ssh://${host ?? 'HOST'}${path ?? '/system'}`,
    );
  if (way === 'unix' && host)
    throw new Error(`${text}: a unix socket is on this host; for another one: ${driver}+ssh://${host}`);
  if (way === 'ssh' && !host) throw new Error(`${text}: which host?`);
  if (host && !HOST.test(host)) throw new Error(`${text}: "${host}" is not a host name`);
  if (user && !USER.test(user)) throw new Error(`${text}: "${user}" is not a user name`);
  return {
    text,
    name: `${driver}://${path ?? '/'}`,
    driver: driver!,
    transport: way,
    session: path === '/session',
    host,
    user,
    port: port === undefined ? undefined : Number(port),
    parameters,
  };
}

/** Sockets of this host that may serve the URI, the best first. @param write the read-only sockets do not do */
export function socketPaths(uri: LibvirtUri, write: boolean, environment: NodeJS.ProcessEnv = process.env): string[] {
  const own = uri.parameters.get('socket');
  if (own) return write ? [own.replace(/-ro$/, '')] : [own];
  const names = uri.driver === 'qemu' ? ['virtqemud-sock', 'libvirt-sock'] : ['libvirt-sock'];
  if (uri.session) {
    const runtime = environment.XDG_RUNTIME_DIR;
    return runtime ? names.map((name) => join(runtime, 'libvirt', name)) : [];
  }
  const folders = ['/run/libvirt', '/var/run/libvirt'];
  const all = write ? names : names.flatMap((name) => [`${name}-ro`, name]);
  return folders.flatMap((folder) => all.map((name) => join(folder, name)));
}

/** The URIs that are looked at when none is given: those of this host that have a socket. */
export function defaultUris(environment: NodeJS.ProcessEnv = process.env): string[] {
  return ['qemu:///system', 'qemu:///session'].filter((text) =>
    socketPaths(parseUri(text), false, environment).some((path) => existsSync(path)),
  );
}
