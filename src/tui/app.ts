/** The dashboard on a terminal: blessed gives the screen, its diff and the keys; every cell is drawn by a CellPane. */
import { Disassembler } from '../disasm/index.js';
import type { Debugger } from '../engine/debugger.js';
import { Dashboard } from './dashboard.js';
import { keyName, type ParsedKey } from './keys.js';
import type { View } from './layout.js';
import { parsePictures } from './picture/pictures.js';
import { TerminalPictures } from './picture/terminal-pictures.js';
import type { CellPane, ScreenLine } from './screen/cell-pane.js';
import { InputFilter, type Terminal } from './screen/input-filter.js';
import { createTheme, lightByAnswer, parseTheme, type Theme } from './screen/theme.js';
import { drawTrueColour } from './screen/true-colour.js';
import { reason } from './sources.js';
import type { Surface } from './surface.js';
import { UserMemory } from './user-memory.js';

export type { View } from './layout.js';

/** What is shown and takes the keys: the dashboard of a guest, the table of all guests. */
export interface TerminalScreen {
  /** What is shown changes all the time by itself: RUNNING_FRAME_MS is often enough. */
  readonly lively?: boolean;
  /** Fetches what the first frame needs. */
  start(): Promise<void>;
  /** One look at what is shown, between frames; at most ten a second. */
  poll(): Promise<void>;
  /** How many of the next polls would look at nothing: they are left out, unless something happens. */
  skip?(pollMs: number): number;
  close(): void;
  draw(): void;
  key(name: string): void;
  paste(text: string): void;
  click(x: number, y: number): void;
  drag(x: number, y: number): void;
  drop(): void;
  wheel(x: number, y: number, delta: number): void;
  /** Switches the terminal's mouse reports to what they should be. */
  showMouse(): void;
}

export interface DashboardOptions extends ScreenOptions {
  /** Command lines to begin with. */
  commands?: readonly string[];
  /** The guest, which stands, is let run behind them. */
  runs?: boolean;
  initialView?: View;
  /** A strip explains the dashboard step by step. */
  tour?: boolean;
  /** Leaving does not end the guest, so nothing is asked. */
  detach?: boolean;
  /** The guest can go on without a screen: `:detach` tells who runs it, and leaves. Otherwise why it cannot. */
  onDetach?: (() => void) | string;
  /** Milliseconds, for rates; default the wall clock. */
  now?: () => number;
}

export interface ScreenOptions {
  /** Name in the header. */
  title: string;
  input?: Terminal;
  output?: NodeJS.WriteStream;
  /** Most frames a second; default 30. A running guest is looked at ten times a second at most. */
  fps?: number;
  /** Longest time between frames that a slow terminal is given; default 1000. */
  maxFrameMs?: number;
  /** Runs before the promise resolves. */
  onQuit: () => Promise<void> | void;
  /** Ends the dashboard as `q` does, without a question. */
  signal?: AbortSignal;
  /** What is kept from session to session; absent: nothing. */
  memory?: UserMemory;
  /** Of the terminal: TERM, locale, NO_COLOR, COLORFGBG, VMSCOPE_THEME, VMSCOPE_PICTURES; default the process's. */
  environment?: Record<string, string | undefined>;
  /** Milliseconds without another resize before the screen is laid out anew; default 50. */
  resizeTimeout?: number;
}

const POLL_MS = 100;
const RUNNING_FRAME_MS = 100;
/** So long after a key each change is shown at once. */
const AFTER_KEY_MS = 250;
const MAX_POLL_MS = 10_000;
/** A terminal that takes longer than this for a frame gets fewer of them. */
const SLOW_FRAME_MS = 50;
/** OSC 52 payloads above this are refused by common terminals. */
const MAX_COPY_BYTES = 74_000;

/** The parts of a blessed screen that its types leave out. */
interface BlessedScreen {
  lines: ScreenLine[];
  /** As the terminal shows them. */
  olines: ScreenLine[];
  draw(start: number, end: number): void;
  width: number;
  height: number;
  render(): void;
  realloc(): void;
  destroy(): void;
  on(event: string, listener: (...args: never[]) => void): void;
  program: {
    tput: { colors: number };
    _write(text: string): unknown;
    flush(): void;
    on(event: string, listener: (...args: never[]) => void): void;
    enableMouse(): void;
    disableMouse(): void;
    normalBuffer(): void;
    alternateBuffer(): void;
    showCursor(): void;
    hideCursor(): void;
  };
}

/** Loads what the dashboard needs ahead of time: what goes wrong is told by who shows it. */
export function preload(): void {
  void Promise.all([loadBlessed(), Disassembler.load()]).catch(() => {});
}

async function loadBlessed() {
  // Read by blessed when it loads: box characters as UTF-8, and the mouse in SGR coordinates.
  process.env.NCURSES_NO_UTF8_ACS = '1';
  process.env.BLESSED_FORCE_MODES = 'SGRMOUSE=1,CELLMOTION=1,VT200MOUSE=1';
  return (await import('blessed')).default;
}

/** Shows the dashboard until it is quit. @throws Error when the output is no terminal. */
export async function runDashboard(debug: Debugger, options: DashboardOptions): Promise<void> {
  const disassembler = await Disassembler.load();
  const environment = options.environment ?? process.env;
  const memory = options.memory ?? new UserMemory(environment);
  const theme = environment.VMSCOPE_THEME || memory.settings.theme;
  const kept = { ...options, memory, environment: { ...environment, VMSCOPE_THEME: theme } };
  await runScreen(kept, (surface, colours) => new Dashboard(debug, disassembler, colours, surface, kept));
}

/** Shows a screen until it is quit. @throws Error when the output is no terminal. */
export async function runScreen(
  options: ScreenOptions,
  build: (surface: Surface, theme: Theme) => TerminalScreen,
): Promise<void> {
  const output = options.output ?? process.stdout;
  if (!output.isTTY) throw new Error('the dashboard needs a terminal');
  const blessed = await loadBlessed();
  const input = new InputFilter(options.input ?? process.stdin);
  const environment = options.environment ?? process.env;
  // Other terminals' terminfo entries make blessed print compile errors; all of these understand xterm's.
  const own = /^(linux|vt\d|dumb|ansi|cons25)|-(?:16|8|88)color|-mono|-m$/.test(environment.TERM ?? '');
  const terminal = own ? environment.TERM : 'xterm-256color';
  let choice: ReturnType<typeof parseTheme>;
  try {
    choice = parseTheme(environment.VMSCOPE_THEME || 'auto');
  } catch (error) {
    // of the settings; the command line's was looked at before
    options.memory?.problems.push(reason(error));
    choice = {};
  }
  const screen = blessed.screen({
    input,
    output,
    terminal,
    fullUnicode: false,
    forceUnicode: true,
    smartCSR: false,
    resizeTimeout: options.resizeTimeout ?? 50,
    title: `vmscope ${options.title}`.replace(/[^\x20-\x7e]/g, '.'),
  } as object) as unknown as BlessedScreen;
  const { program } = screen;
  const theme = createTheme(program.tput.colors, environment, choice);

  return await new Promise<void>((resolve, rejectRun) => {
    let frameMs = 1000 / (options.fps ?? 30);
    const minFrameMs = frameMs;
    let pollMs = POLL_MS;
    let timer: NodeJS.Timeout | undefined;
    let shown: TerminalScreen | undefined;
    let lastFrame = 0;
    let lastKey = 0;
    let timerDue = 0;
    let closed = false;
    let suspended = false;
    let laidOut = { columns: 0, rows: 0 };

    const tick = () => {
      timer = undefined;
      if (closed) return;
      lastFrame = Date.now();
      laidOut = { columns: screen.width, rows: screen.height };
      pictures.begin();
      view.draw();
      writeFrame();
      const took = Date.now() - lastFrame;
      frameMs =
        took > SLOW_FRAME_MS ? Math.min(options.maxFrameMs ?? 1000, frameMs * 2) : Math.max(minFrameMs, frameMs / 2);
    };

    /** One frame as one write, in a synchronised update; nothing at all when no cell changed. */
    const writeFrame = () => {
      const write = program._write;
      let frame = '';
      program._write = (text: string) => {
        frame += text;
        return true;
      };
      try {
        screen.render();
      } finally {
        program._write = write;
      }
      if (frame) frame = `\x1b[?2026h${frame}\x1b[?2026l`;
      // by itself: kitty 0.26 loses what stands in one update with much data
      frame += pictures.output();
      if (frame) {
        program._write(frame);
        program.flush();
      }
      pictures.wrote(frame.length, Date.now() - lastFrame);
    };

    const pictures = new TerminalPictures(
      {
        get columns() {
          return screen.width;
        },
        get rows() {
          return screen.height;
        },
        theme,
        expect: (answers) => {
          input.expecting = answers;
        },
        changed: () => surface.dirty(),
        coloursOpen: choice.trueColours === undefined && choice.depth === undefined,
      },
      parsePictures(environment.VMSCOPE_PICTURES || 'auto'),
      own || theme.depth === 0,
      process.pid,
    );
    // blessed draws what is left when colours of 24 bits have been drawn
    const drawCells = screen.draw.bind(screen);
    screen.draw = (start, end) => {
      const before = pictures.compose(screen.lines, screen.olines) + drawTrueColour(screen.lines, screen.olines);
      if (before) program._write(before);
      drawCells(start, end);
    };

    const surface: Surface = {
      get columns() {
        return screen.width;
      },
      get rows() {
        return screen.height;
      },
      add(pane: CellPane) {
        const element = blessed.box({ parent: screen as never, top: 0, left: 0, width: 1, height: 1 });
        // blessed asks every element to render; these copy their cells.
        (element as unknown as { render: () => void }).render = () => {
          if (screen.width === laidOut.columns && screen.height === laidOut.rows) pane.blit(screen.lines);
        };
      },
      dirty() {
        if (closed || suspended) return;
        const now = Date.now();
        const often = shown?.lively !== true || now - lastKey < AFTER_KEY_MS;
        const paced = lastFrame + (often ? frameMs : Math.max(frameMs, RUNNING_FRAME_MS));
        // what a key does is shown at once, by a terminal that keeps up
        const due = lastKey > lastFrame && frameMs <= minFrameMs ? now : Math.max(now, paced);
        if (timer && due >= timerDue) return;
        clearTimeout(timer);
        timerDue = due;
        timer = setTimeout(tick, due - now);
      },
      hurry() {
        if (closed || !resting) return;
        clearTimeout(pollTimer);
        resting = false;
        pollTimer = setTimeout(poll, pollMs);
      },
      pictures,
      capture(sink, mouse) {
        input.capture = sink;
        const moves = mouse !== undefined;
        if (moves !== (input.captureMouse !== undefined)) {
          // without a button they come when they are asked for
          program._write(moves ? '\x1b[?1003h' : '\x1b[?1003l\x1b[?1002h');
          program.flush();
        }
        input.captureMouse = mouse;
      },
      mouse(on) {
        if (on) program.enableMouse();
        else program.disableMouse();
        program.flush();
      },
      copy(text) {
        const data = Buffer.from(text).subarray(0, MAX_COPY_BYTES).toString('base64');
        program._write(`\x1b]52;c;${data}\x07`);
        program.flush();
      },
      redraw() {
        screen.realloc();
        surface.dirty();
      },
      setInterval(factor) {
        pollMs = Math.max(POLL_MS, Math.min(MAX_POLL_MS, pollMs * factor));
        return pollMs;
      },
      // blessed's own pause loses what it has buffered.
      suspend() {
        if (closed || suspended) return;
        suspended = true;
        clearTimeout(timer);
        timer = undefined;
        program._write(pictures.close());
        program._write('\x1b[?2004l');
        program.disableMouse();
        program.normalBuffer();
        program.showCursor();
        program.flush();
        input.setRawMode(false);
        process.once('SIGCONT', () => {
          suspended = false;
          if (closed) return;
          input.setRawMode(true);
          program.alternateBuffer();
          program.hideCursor();
          view.showMouse();
          program._write('\x1b[?2004h');
          program.flush();
          surface.redraw();
        });
        // The whole process stops, and the guest with it.
        process.kill(process.pid, 'SIGSTOP');
      },
      quit() {
        if (closed) return;
        close();
        Promise.resolve()
          .then(() => options.onQuit())
          .then(resolve, rejectRun);
      },
    };

    let pollTimer: NodeJS.Timeout | undefined;
    /** The next poll is not the very next one. */
    let resting = false;
    const poll = () => {
      resting = false;
      if (closed) return;
      view.poll().finally(() => {
        if (closed) return;
        const skipped = view.skip?.(pollMs) ?? 0;
        resting = skipped > 0;
        pollTimer = setTimeout(poll, pollMs * (1 + skipped));
      });
    };

    const view = build(surface, theme);
    shown = view;

    const close = () => {
      closed = true;
      clearTimeout(timer);
      clearTimeout(pollTimer);
      view.close();
      for (const [signal, handler] of Object.entries(signals)) process.removeListener(signal, handler);
      output.removeListener('error', hangUp);
      program._write(`${pictures.close()}\x1b[?2004l`);
      program.disableMouse();
      screen.destroy();
      input.release();
    };

    const end = (status: number) => {
      close();
      process.exit(status);
    };
    /** blessed ends with status 0 on SIGTERM and SIGINT and leaves the screen as it is on SIGHUP. */
    const signals: Record<string, () => void> = {
      SIGTERM: () => end(143),
      SIGINT: () => end(130),
      SIGHUP: () => hangUp(),
      SIGTSTP: () => surface.suspend(),
    };
    /** The terminal is gone. process.exit would abort: Node asserts that it can restore the terminal's modes. */
    const hangUp = () => {
      try {
        close();
      } finally {
        process.kill(process.pid, 'SIGHUP');
      }
    };
    output.once('error', hangUp);
    for (const [signal, handler] of Object.entries(signals)) process.on(signal, handler);

    program.on('keypress', ((character: string | undefined, key: ParsedKey) => {
      const name = keyName(character, key);
      lastKey = Date.now();
      surface.hurry?.();
      if (name) view.key(name);
    }) as never);
    program.on('mouse', ((event: { action: string; x: number; y: number; raw?: unknown[] }) => {
      lastKey = Date.now();
      surface.hurry?.();
      // blessed takes a move with the button held for another press; the report's bit 5 tells.
      const moving = event.action === 'mousemove' || (Number(event.raw?.[0]) & 32) !== 0;
      if (event.action === 'wheelup') view.wheel(event.x, event.y, -1);
      else if (event.action === 'wheeldown') view.wheel(event.x, event.y, 1);
      else if (event.action === 'mouseup') view.drop();
      else if (moving) view.drag(event.x, event.y);
      else if (event.action === 'mousedown') view.click(event.x, event.y);
    }) as never);
    input.onPaste = (text) => {
      surface.hurry?.();
      view.paste(text);
    };
    input.onReply = (reply) => {
      pictures.reply(reply);
      const light = lightByAnswer(reply);
      if (light === undefined || light === theme.light || choice.light !== undefined) return;
      Object.assign(theme, createTheme(program.tput.colors, environment, { ...choice, light }));
      surface.redraw();
    };
    screen.on('resize', () => {
      pictures.resized();
      surface.dirty();
    });
    options.signal?.addEventListener('abort', () => surface.quit());
    surface.mouse(true);
    program._write('\x1b[?2004h');
    // which background it has; what does not know the question says nothing
    if (!own && choice.light === undefined && theme.depth !== 0) program._write('\x1b]11;?\x1b\\');

    view.start().then(poll, (error: unknown) => {
      close();
      rejectRun(error instanceof Error ? error : new Error(reason(error)));
    });
    surface.dirty();
    if (options.signal?.aborted) surface.quit();
  });
}
