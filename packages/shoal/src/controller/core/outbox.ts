/**
 * Outbox: commands that wait for an answer. A command without one is sent again under the same id, which agents
 * carry out once; an answer that comes twice, or too late, is ignored.
 */
import type { Command, CommandBody, CommandResult } from '../../wire/index.ts';
import { commandRetryMs, commandTriesMax } from './constants.ts';
import type { ProcessView } from './view.ts';

/** What a command came to. `unanswered`: nothing was heard after the last attempt; `gone`: its process died. */
export type Answer =
  | CommandResult
  | { readonly isOk: false; readonly reason: 'unanswered' | 'gone'; readonly detail: string };

interface PendingCommand {
  readonly command: Command;
  readonly process: ProcessView;
  readonly retryMs: number;
  readonly onAnswer: (answer: Answer, nowMs: number) => void;
  sentAtMs: number;
  tries: number;
}

export class Outbox {
  readonly #pending: Map<string, PendingCommand> = new Map();
  readonly #epoch: number;
  /** Commands to be sent; emptied by the owner. */
  ready: Command[] = [];
  #nextId = 1;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  send(
    process: ProcessView,
    body: CommandBody,
    nowMs: number,
    onAnswer: (answer: Answer, nowMs: number) => void,
    retryMs: number = commandRetryMs,
  ): void {
    const commandId = `${this.#epoch}-${this.#nextId++}`;
    const command: Command = {
      commandId,
      epoch: this.#epoch,
      machine: process.machine,
      process: process.process,
      body,
    };
    this.#pending.set(commandId, { command, process, retryMs, onAnswer, sentAtMs: nowMs, tries: 1 });
    this.ready.push(command);
  }

  /** Returns false for an answer that nobody waits for. */
  answer(result: CommandResult, nowMs: number): boolean {
    const pending = this.#pending.get(result.commandId);
    if (pending === undefined) return false;
    this.#pending.delete(result.commandId);
    pending.onAnswer(result, nowMs);
    return true;
  }

  /** Every command is answered. */
  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  tick(nowMs: number): void {
    for (const [commandId, pending] of this.#pending) {
      if (nowMs - pending.sentAtMs < pending.retryMs) continue;
      if (pending.tries >= commandTriesMax) {
        this.#pending.delete(commandId);
        pending.onAnswer(
          { isOk: false, reason: 'unanswered', detail: `after ${pending.tries} attempts` },
          nowMs,
        );
        continue;
      }
      pending.tries++;
      pending.sentAtMs = nowMs;
      this.ready.push(pending.command);
    }
  }

  /** The process died or was restarted: nothing that was asked of it will be answered. */
  abandon(process: ProcessView, nowMs: number): void {
    for (const [commandId, pending] of this.#pending) {
      if (pending.process !== process) continue;
      this.#pending.delete(commandId);
      pending.onAnswer({ isOk: false, reason: 'gone', detail: `${process.key} is gone` }, nowMs);
    }
  }
}
