/** Submission and completion queues, which lie in the guest's memory. @nvme 4.1 "Submission Queue & Completion Queue Definition" */
import { address, flag, int, list, record, type StateOf, u16 } from '../../state/schema.js';
import type { BusMaster } from '../pci/bus-master.js';
import { ADMIN_ENTRIES, IO_QUEUES } from './registers.js';

const SUBMISSION_BYTES = 64;
const COMPLETION_BYTES = 16;

const entries = int(1, ADMIN_ENTRIES);
const gpa = address;
const SUBMISSION = record({ id: u16, gpa, entries, head: u16, tail: u16, completion: u16 });
const COMPLETION = record({
  ...{ id: u16, gpa, entries, head: u16, tail: u16 },
  phase: flag,
  vector: u16,
  interrupts: flag,
});
export const QUEUES = record({
  submission: list(SUBMISSION, { atMost: IO_QUEUES + 1 }),
  completion: list(COMPLETION, { atMost: IO_QUEUES + 1 }),
});
export type SubmissionQueue = StateOf<typeof SUBMISSION>;
export type CompletionQueue = StateOf<typeof COMPLETION>;

export interface Completion {
  /** First double word. */
  result: number;
  /** Status without the phase. */
  status: number;
}

export class Queues {
  submission: SubmissionQueue[] = [];
  completion: CompletionQueue[] = [];

  constructor(private readonly bus: BusMaster) {}

  clear(): void {
    this.submission = [];
    this.completion = [];
  }

  sq(id: number): SubmissionQueue | undefined {
    return this.submission.find((queue) => queue.id === id);
  }

  cq(id: number): CompletionQueue | undefined {
    return this.completion.find((queue) => queue.id === id);
  }

  addSubmission(id: number, at: number, count: number, completion: number): void {
    this.submission.push({ id, gpa: at, entries: count, head: 0, tail: 0, completion });
  }

  addCompletion(id: number, at: number, count: number, vector: number, interrupts: boolean): void {
    this.completion.push({ id, gpa: at, entries: count, head: 0, tail: 0, phase: true, vector, interrupts });
  }

  removeSubmission(id: number): void {
    this.submission = this.submission.filter((queue) => queue.id !== id);
  }

  removeCompletion(id: number): void {
    this.completion = this.completion.filter((queue) => queue.id !== id);
  }

  /** There is a command, and room for its completion. */
  ready(queue: SubmissionQueue): boolean {
    const completion = this.cq(queue.completion);
    if (!completion || queue.head === queue.tail) return false;
    return (completion.tail + 1) % completion.entries !== completion.head;
  }

  take(queue: SubmissionQueue): DataView {
    const command = this.bus.view(queue.gpa + queue.head * SUBMISSION_BYTES, SUBMISSION_BYTES);
    queue.head = (queue.head + 1) % queue.entries;
    return command;
  }

  /** @nvme 4.6 "Completion Queue Entry" */
  complete(queue: SubmissionQueue, command: number, { result, status }: Completion): void {
    const completion = this.cq(queue.completion)!;
    const entry = new DataView(new ArrayBuffer(COMPLETION_BYTES));
    entry.setUint32(0, result >>> 0, true);
    entry.setUint16(8, queue.head, true);
    entry.setUint16(10, queue.id, true);
    entry.setUint16(12, command, true);
    entry.setUint16(14, (status << 1) | (completion.phase ? 1 : 0), true);
    this.bus.write(completion.gpa + completion.tail * COMPLETION_BYTES, new Uint8Array(entry.buffer));
    completion.tail++;
    if (completion.tail < completion.entries) return;
    completion.tail = 0;
    completion.phase = !completion.phase;
  }

  save(): StateOf<typeof QUEUES> {
    return { submission: this.submission, completion: this.completion };
  }

  load({ submission, completion }: StateOf<typeof QUEUES>): void {
    this.submission = submission;
    this.completion = completion;
  }
}
