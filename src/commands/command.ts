/** What a command is, whichever door it comes in by, and how its arguments are read. */
import type { Disassembler, SymbolTable } from '../disasm/index.js';
import type { Names } from '../engine/debug/expression/names.js';
import { type Expression, firstExpression, parseExpression } from '../engine/debug/expression/syntax.js';
import type { ProfileKey } from '../engine/debug/profile-report.js';
import type { Profiler } from '../engine/debug/profiler.js';
import type { AddressSpace, Debugger, RunState, TargetInfo } from '../engine/debugger.js';
import { numberNow } from './typed-values.js';

/** Long work of a command. */
export interface Work {
  /** How far it is, 0 to 1. */
  share(share: number): void;
  /** Its user does not wait for it any more. */
  readonly cancelled: boolean;
  done(): void;
}

/** `looks`: the guest is as before; `runs`: it may stop or go on; `changes`: it may become another. */
export type Effect = 'looks' | 'runs' | 'changes';

/** What an argument names, for completion. */
export type ArgumentKind =
  | 'address'
  | 'register'
  | 'vmcs-field'
  | 'exit-reason'
  | 'breakpoint'
  | 'bookmark'
  | 'branch'
  | 'place'
  | 'snapshot'
  | 'vcpu'
  | 'frame'
  | 'exit'
  | 'exit-field'
  | 'process'
  | 'watch'
  | 'layout'
  | 'drive'
  | 'command'
  | 'monitor'
  | 'file';

/** Who gives commands: the dashboard, a script, a client of a socket. */
export interface Session {
  readonly debug: Debugger;
  /** vCPU that commands are about. */
  vcpu: number;
  /** A command that lets the guest run is over when the guest stands again. */
  readonly waits: boolean;
  disassembler(): Promise<Disassembler>;
  symbols(): Promise<SymbolTable>;
  /** What expressions may name. */
  names(): Promise<Names>;
  info(): Promise<TargetInfo>;
  state(): Promise<RunState>;
  /** Values of the guest were changed, or all of the machine: what was read before is out of date. */
  changed(what: 'values' | 'machine'): void;
  /** Samples begin to be taken, which somebody may show as they come. */
  profiled?(profiler: Profiler, by: ProfileKey): void;
  /** Work that may take long begins; absent where nobody could see it, or end it. */
  work?(task: string): Work;
}

export interface Command<R = unknown> {
  readonly name: string;
  /** Arguments as the help shows them. */
  readonly usage: string;
  readonly help: string;
  /** The dashboard's key that does the same. */
  readonly key?: string;
  readonly effect: Effect;
  /** Runs the guest and is over when it stands: typed ahead, it waits for its turn. */
  readonly moves?: boolean;
  /** Its text has many lines. */
  readonly page?: boolean;
  /** Words that an argument may be, and kinds of names. */
  readonly words?: readonly string[];
  readonly kinds?: readonly ArgumentKind[];
  /** What may follow one of the words, the last or the first that was typed. */
  readonly behind?: Readonly<Record<string, readonly ArgumentKind[]>>;
  /** @throws Error in one line; UnknownName where a name is not known (yet). */
  run(session: Session, argument: string): Promise<R>;
  /** The result as people read it; empty: it says nothing. */
  text(result: R, session: Session): Promise<string> | string;
  /** The result for programs, where it is not the result itself. */
  json?(result: R, session: Session, argument: string): Promise<unknown>;
  /** Where each line of its text leads in memory, for who can go there. */
  places?(result: R): readonly (Place | undefined)[];
  /** What the dashboard says instead, whose screen shows the rest. */
  foot?(result: R): string | undefined;
}

/** A place in memory. */
export interface Place {
  readonly space: AddressSpace;
  readonly address: bigint;
}

/** Keeps the type of a command's result together. */
export const command = <R>(row: Command<R>): Command<R> => row;

/** The text of commands whose result is what they say. */
export const asText = (text: string): string => text;

/**
 * An address or a count: a number, symbol, register, what lies in memory, or what is computed of them. The name of a
 * variable alone is its address. @throws Error that names what cannot be read.
 */
export const value = (session: Session, text: string): Promise<bigint> =>
  numberNow(session, parseExpression(text), true);

/** As value, of what an argument begins with; and the rest of it. */
export async function firstValue(session: Session, text: string): Promise<{ value: bigint; rest: string }> {
  const { expression, rest } = firstExpression(text);
  return { value: await numberNow(session, expression, true), rest };
}

/** What an expression is now: of a variable its value. @throws Error as value */
export const valueNow = (session: Session, expression: Expression): Promise<bigint> =>
  numberNow(session, expression, false);

export function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

/** What was looked for is not there, or there is no more: an answer, which a screen shows as one and not as a fault. */
export class NothingThere extends Error {}

/** @throws Error when nothing is there. */
export function need(text: string, what: string): string {
  if (!text.trim()) throw new Error(`${what} is missing`);
  return text.trim();
}

/** Takes `gva`, `gpa` or `hpa` from the front. */
export function space(list: string[]): AddressSpace {
  const first = list[0]?.toLowerCase();
  if (first === 'gva' || first === 'gpa' || first === 'hpa') {
    list.shift();
    return first;
  }
  return 'gva';
}

/** @throws Error that lists what is allowed. */
export function oneOf<T extends string>(text: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === text.trim().toLowerCase());
  if (!found) throw new Error(`"${text.trim()}" is not one of ${allowed.join(', ')}`);
  return found;
}

/** Why a target lacks a group of calls. */
export async function lacking(session: Session, group: keyof TargetInfo['unavailable']): Promise<Error> {
  return new Error((await session.info()).unavailable[group] ?? `this target has no ${group}`);
}

/** @throws Error when the guest has ended. */
export async function mustBeAlive(session: Session): Promise<RunState> {
  const state = await session.state();
  const { stop } = state;
  if (!state.running && stop?.kind === 'ended')
    throw new Error(`${stop.end.message || 'the guest has ended'}; :reset starts it again`);
  return state;
}
