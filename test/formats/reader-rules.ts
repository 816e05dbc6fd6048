/**
 * What the readers of our exported files ask of them. Trace events: "Trace Event Format", which ui.perfetto.dev and chrome://tracing
 * read; profiles: speedscope's "file-format-schema.json". Of each the rules for what we write; anything else is told as a fault.
 */

type Json = Record<string, unknown>;

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isIndex = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of each field whether its value is right; a name that ends in `?` may be absent. Other fields are faults. */
function wrongFields(where: string, value: unknown, fields: Record<string, (it: unknown) => boolean>): string[] {
  if (!isObject(value)) return [`${where}: no object`];
  const known = new Set(Object.keys(fields).map((name) => name.replace('?', '')));
  const strange = Object.keys(value).filter((name) => !known.has(name));
  const wrong = Object.entries(fields).filter(([name, right]) => {
    const it = value[name.replace('?', '')];
    return it === undefined ? !name.endsWith('?') : !right(it);
  });
  return [...strange, ...wrong.map(([name]) => name.replace('?', ''))].map((name) => `${where}: ${name}`);
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isId = (value: unknown): boolean => Number.isInteger(value);
/** Perfetto takes thread 0 for one that is not told. */
const isThread = (value: unknown): boolean => isId(value) && value !== 0;
const isTime = (value: unknown): boolean => isNumber(value) && value >= 0;

/** Metadata events that viewers know, with what their arguments hold. */
const METADATA: Record<string, (args: unknown) => boolean> = {
  process_name: (args) => isObject(args) && isText(args.name),
  thread_name: (args) => isObject(args) && isText(args.name),
};

/** What is wrong with a file of trace events, in its JSON object form. */
export function wrongInTrace(file: unknown): string[] {
  const top = wrongFields('file', file, {
    traceEvents: Array.isArray,
    'displayTimeUnit?': (unit) => unit === 'ms' || unit === 'ns',
  });
  if (top.length > 0) return top;
  const named = new Set<unknown>();
  const ends = new Map<unknown, number>();
  return ((file as Json).traceEvents as unknown[]).flatMap((event, index) => {
    const where = `event ${index}`;
    if (!isObject(event)) return [`${where}: no object`];
    if (event.ph === 'M') {
      const isOfThread = event.name === 'thread_name';
      if (isOfThread) named.add(event.tid);
      return wrongFields(where, event, {
        ph: isText,
        name: (name) => isText(name) && Object.hasOwn(METADATA, name as string),
        pid: isId,
        [isOfThread ? 'tid' : 'tid?']: isThread,
        args: (args) => METADATA[event.name as string]?.(args) ?? false,
      });
    }
    const wrong = wrongFields(where, event, {
      ph: (phase) => phase === 'X',
      name: isText,
      cat: isText,
      pid: isId,
      tid: isThread,
      ts: isTime,
      dur: isTime,
      'args?': isObject,
    });
    // complete events of a thread lie in each other or beside each other, and ours begin in order
    const start = event.ts as number;
    const before = ends.get(event.tid) ?? 0;
    ends.set(event.tid, start + (event.dur as number));
    // times are decimal fractions of microseconds
    if (start < before - 1e-3) wrong.push(`${where}: begins within the one before`);
    if (!named.has(event.tid)) wrong.push(`${where}: its thread has no name`);
    return wrong;
  });
}

const UNITS = ['none', 'nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes'];

/** What is wrong with a file for speedscope that holds sampled profiles. */
export function wrongInProfile(file: unknown): string[] {
  const top = wrongFields('file', file, {
    $schema: (url) => url === 'https://www.speedscope.app/file-format-schema.json',
    shared: (shared) => wrongFields('shared', shared, { frames: Array.isArray }).length === 0,
    profiles: (profiles) => Array.isArray(profiles) && profiles.length > 0,
    'name?': isText,
    'exporter?': isText,
    'activeProfileIndex?': (index) => isIndex(index) && index < ((file as Json).profiles as unknown[]).length,
  });
  if (top.length > 0) return top;
  const { shared, profiles } = file as { shared: { frames: unknown[] }; profiles: unknown[] };
  const isStack = (stack: unknown): boolean =>
    Array.isArray(stack) && stack.every((frame) => isIndex(frame) && frame < shared.frames.length);
  const frames = shared.frames.flatMap((frame, index) =>
    wrongFields(`frame ${index}`, frame, { name: isText, 'file?': isText, 'line?': isNumber, 'col?': isNumber }),
  );
  return [
    ...frames,
    ...profiles.flatMap((profile, index) => {
      const { startValue, endValue, samples, weights } = profile as Json;
      return wrongFields(`profile ${index}`, profile, {
        type: (type) => type === 'sampled',
        name: isText,
        unit: (unit) => UNITS.includes(unit as string),
        startValue: isNumber,
        endValue: (end) => isNumber(end) && end >= (startValue as number),
        samples: (list) => Array.isArray(list) && list.every(isStack),
        weights: (list) =>
          Array.isArray(list) &&
          list.length === (samples as unknown[])?.length &&
          list.every((weight) => isNumber(weight) && weight >= 0) &&
          Math.abs((weights as number[]).reduce((sum, one) => sum + one, startValue as number) - (endValue as number)) <
            1,
      });
    }),
  ];
}
