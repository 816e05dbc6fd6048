/** The parts of a domain's definition that a details pane shows. */
import type { GuestDetails } from '../../engine/fleet.js';

/** One element: its attributes and what is between its tags. */
interface Element {
  attributes: Record<string, string>;
  inner: string;
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const decoded = (text: string): string =>
  text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => ENTITIES[name]!);

/** Elements of a name that do not stand in one another, as libvirt prints them; linear in the text. */
function elements(xml: string, name: string): Element[] {
  const found: Element[] = [];
  const open = new RegExp(`<${name}((?:\\s+[\\w:-]+=(?:'[^']*'|"[^"]*"))*)\\s*(/?)>`, 'g');
  for (let match = open.exec(xml); match; match = open.exec(xml)) {
    const attributes: Record<string, string> = {};
    for (const [, key, single, double] of match[1]!.matchAll(/([\w:-]+)=(?:'([^']*)'|"([^"]*)")/g))
      attributes[key!] = decoded(single ?? double ?? '');
    let inner = '';
    if (!match[2]) {
      const end = xml.indexOf(`</${name}>`, open.lastIndex);
      if (end < 0) break;
      inner = xml.slice(open.lastIndex, end);
      open.lastIndex = end;
    }
    found.push({ attributes, inner });
  }
  return found;
}

const first = (xml: string, name: string): Element | undefined => elements(xml, name)[0];
const textOf = (xml: string, name: string): string | undefined => {
  const element = first(xml, name);
  return element ? decoded(element.inner).trim() : undefined;
};

export function domainDetails(xml: string): GuestDetails {
  const domain = first(xml, 'domain');
  const cpu = first(xml, 'cpu');
  const os = textOf(xml, 'type');
  const rows: [string, string | undefined][] = [
    ['type', domain?.attributes.type],
    ['title', textOf(xml, 'title')],
    ['machine', first(xml, 'type')?.attributes.machine],
    ['os', os],
    ['cpu', cpu?.attributes.mode ?? textOf(cpu?.inner ?? '', 'model')],
    ['emulator', textOf(xml, 'emulator')],
    ['kernel', textOf(xml, 'kernel')],
  ];
  const devices = first(xml, 'devices')?.inner ?? '';
  const disks = elements(devices, 'disk').map(({ attributes, inner }): [string, string] => {
    const target = first(inner, 'target')?.attributes;
    const source = first(inner, 'source')?.attributes;
    const where = source?.file ?? source?.dev ?? source?.name ?? source?.volume ?? '(empty)';
    const format = first(inner, 'driver')?.attributes.type;
    const how = [attributes.device, target?.bus, format, /<readonly\s*\/>/.test(inner) ? 'read-only' : ''];
    return [target?.dev ?? '?', `${where}  ${how.filter(Boolean).join(' ')}`];
  });
  const nics = elements(devices, 'interface').map(({ attributes, inner }): [string, string] => {
    const source = first(inner, 'source')?.attributes ?? {};
    const where = source.network ?? source.bridge ?? source.dev ?? '';
    const model = first(inner, 'model')?.attributes.type ?? '';
    const mac = first(inner, 'mac')?.attributes.address ?? '';
    return [
      first(inner, 'target')?.attributes.dev ?? '?',
      [attributes.type, where, model, mac].filter(Boolean).join(' '),
    ];
  });
  const consoles = [...elements(devices, 'serial'), ...elements(devices, 'console')].map(
    ({ attributes, inner }): [string, string] => [
      attributes.type ?? '?',
      first(inner, 'source')?.attributes.path ?? attributes.tty ?? '',
    ],
  );
  const known = rows.filter((row): row is [string, string] => Boolean(row[1]));
  return [
    ['definition', known],
    ['disks', disks],
    ['network', nics],
    ['consoles', consoles],
  ].filter(([, list]) => list!.length > 0) as GuestDetails;
}
