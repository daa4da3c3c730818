/**
 * Executor: carries decisions out, step by step, each step acknowledged; no sleeps, nothing assumed.
 *
 *   add:     create (acknowledged when warm) → tables that lead from it → tables that lead to it → serving
 *   remove:  drain in all tables → drain the instance → out of all tables → remove
 *   reassign: add, then remove the old one
 *
 * I1 An instance gets no message before the tables of its process lead on from it, and before the local
 *    dependencies that came with it are served.
 * I2 A failed addition leaves nothing behind: endpoints are taken out first, then every instance of the unit is
 *    removed, also one whose creation was never answered.
 * I3 At most one decision is under way for a type.
 */
import type { InstanceId } from '../../model/index.ts';
import { drainMarginMs, drainTriesMax, tablesWaitMaxMs, unseenMaxMs } from './constants.ts';
import type { DecisionLog } from './decision-log.ts';
import type { Monitor } from './monitor.ts';
import type { Answer, Outbox } from './outbox.ts';
import type { OrderedInstance, PlannedInstance } from './placement.ts';
import type { TableMark, Tables } from './tables.ts';
import type { InstanceView, ProcessView } from './view.ts';

export interface OrderedUnitInstance extends PlannedInstance {
  readonly instanceId: InstanceId;
}

interface Member extends OrderedUnitInstance {
  readonly incarnation: string;
  state: 'ordered' | 'created' | 'failed' | 'removed';
  isRouted: boolean;
  isGone: boolean;
  unseenUntilMs: number;
}

/** What the executor tells as it happens. */
export interface ExecutorEvents {
  /** An instance of the type began to serve. */
  serving(msu: string, nowMs: number): void;
  /** Nothing that a decision wanted to add serves. */
  failed(msu: string, problem: string, nowMs: number): void;
}

/** One unit on its way to serve. */
interface Addition {
  readonly kind: 'addition';
  readonly course: Course;
  readonly members: readonly Member[];
  phase: 'creating' | 'wiring-from' | 'wiring-to' | 'unrouting' | 'removing';
  index: number;
  mark: TableMark;
  waitUntilMs: number;
  problem: string;
}

/** One instance on its way out. */
interface Removal {
  readonly kind: 'removal';
  readonly course: Course;
  readonly instanceId: InstanceId;
  readonly msu: string;
  readonly process: ProcessView;
  readonly incarnation: string;
  phase: 'unrouting' | 'draining' | 'dropping' | 'removing';
  mark: TableMark;
  waitUntilMs: number;
  drains: number;
}

/** A decision under way. */
interface Course {
  readonly decisionId: number;
  /** What it adds or removes; its dependencies are in `types`. */
  readonly msu: string;
  readonly types: ReadonlySet<string>;
  open: number;
  served: number;
  removed: number;
  readonly problems: string[];
  /** What a reassignment removes once its replacement serves. */
  replaced: InstanceView | null;
}

export class Executor {
  readonly #monitor: Monitor;
  readonly #tables: Tables;
  readonly #outbox: Outbox;
  readonly #log: DecisionLog;
  readonly #drainMaxMs: number;
  readonly #events: ExecutorEvents;
  #runs: (Addition | Removal)[] = [];
  readonly #courses: Set<Course> = new Set();
  /** Ids of instances that are being removed. */
  readonly leaving: Set<InstanceId> = new Set();
  /** Ids of instances that are being added: their endpoints are the executor's business. */
  readonly arriving: Set<InstanceId> = new Set();
  /** Instances that serve, and that no report has shown yet. */
  readonly #unseen: Set<Member> = new Set();

  constructor(
    monitor: Monitor,
    tables: Tables,
    outbox: Outbox,
    log: DecisionLog,
    drainMaxMs: number,
    events: ExecutorEvents,
  ) {
    this.#monitor = monitor;
    this.#tables = tables;
    this.#outbox = outbox;
    this.#log = log;
    this.#drainMaxMs = drainMaxMs;
    this.#events = events;
  }

  /** Nothing is being added or removed. */
  get isIdle(): boolean {
    return this.#runs.length === 0;
  }

  /** Whether a decision is under way that touches the type. */
  isBusy(msu: string): boolean {
    for (const course of this.#courses) if (course.types.has(msu)) return true;
    return false;
  }

  /** Instances that are ordered and that no report has shown yet. */
  ordered(): OrderedInstance[] {
    const ordered: OrderedInstance[] = [];
    for (const run of this.#runs) {
      if (run.kind !== 'addition' || run.problem !== '') continue;
      for (const member of run.members) {
        if (!member.process.instances.has(member.instanceId)) ordered.push(member);
      }
    }
    ordered.push(...this.#unseen);
    return ordered;
  }

  /** Whether an instance serves that no report has shown yet. */
  isUnseen(id: InstanceId): boolean {
    for (const { instanceId } of this.#unseen) if (instanceId === id) return true;
    return false;
  }

  /** Instances of a type that are on their way and do not serve yet, as reports have it. */
  pending(msu: string): number {
    let pending = 0;
    for (const run of this.#runs) {
      if (run.kind !== 'addition' || run.problem !== '') continue;
      for (const member of run.members) {
        const phase = member.process.instances.get(member.instanceId)?.phase;
        if (member.msu === msu && phase !== 'serving') pending++;
      }
    }
    for (const member of this.#unseen) if (member.msu === msu) pending++;
    return pending;
  }

  /** Starts additions; with `replaced`, that instance is removed when they serve. */
  add(
    decisionId: number,
    units: readonly (readonly OrderedUnitInstance[])[],
    nowMs: number,
    replaced: InstanceView | null = null,
  ): void {
    const types = new Set(units.flat().map((member) => member.msu));
    const course: Course = {
      decisionId,
      msu: units[0]?.at(-1)?.msu ?? '',
      types,
      open: units.length,
      served: 0,
      removed: 0,
      problems: [],
      replaced,
    };
    this.#courses.add(course);
    if (replaced !== null) this.leaving.add(replaced.instanceId);
    for (const unit of units) {
      const members: Member[] = unit.map((planned) => ({
        ...planned,
        incarnation: planned.process.incarnation,
        state: 'ordered',
        isRouted: false,
        isGone: false,
        unseenUntilMs: 0,
      }));
      const run: Addition = {
        kind: 'addition',
        course,
        members,
        phase: 'creating',
        index: 0,
        mark: [],
        waitUntilMs: 0,
        problem: '',
      };
      this.#runs.push(run);
      for (const member of members) this.#create(run, member, nowMs);
    }
  }

  /** Starts the removal of instances of one type; those that are lost are not drained. */
  remove(decisionId: number, msu: string, instances: readonly InstanceView[], nowMs: number): void {
    const course: Course = {
      decisionId,
      msu,
      types: new Set([msu]),
      open: instances.length,
      served: 0,
      removed: 0,
      problems: [],
      replaced: null,
    };
    this.#courses.add(course);
    for (const instance of instances) this.#startRemoval(course, instance, nowMs);
  }

  /** An instance that is being added was seen, and is gone again. */
  lost(instanceId: InstanceId): void {
    for (const run of this.#runs) {
      if (run.kind !== 'addition') continue;
      for (const member of run.members) if (member.instanceId === instanceId) member.isGone = true;
    }
  }

  tick(nowMs: number): void {
    for (const member of this.#unseen) {
      const isSeen = member.process.instances.has(member.instanceId);
      const isOld = member.process.incarnation !== member.incarnation || member.process.status === 'dead';
      if (isSeen || isOld || nowMs > member.unseenUntilMs) this.#unseen.delete(member);
    }
    for (const run of this.#runs) {
      if (run.kind === 'addition') this.#advanceAddition(run, nowMs);
      else this.#advanceRemoval(run, nowMs);
    }
  }

  #create(run: Addition, member: Member, nowMs: number): void {
    const { instanceId, msu, target, nice, process } = member;
    this.arriving.add(instanceId);
    this.#step(run, `create ${msu}#${instanceId} on ${process.key}`, nowMs);
    this.#outbox.send(
      process,
      { kind: 'add-instance', instanceId, msu, target, nice },
      nowMs,
      (answer, atMs) => {
        member.state = answer.isOk ? 'created' : 'failed';
        const took = answer.isOk
          ? `created and warm after ${Math.round(answer.tookMs)} ms`
          : describe(answer);
        this.#step(run, `${msu}#${instanceId}: ${took}`, atMs);
        if (!answer.isOk) run.problem ||= `${msu}#${instanceId} could not be created: ${describe(answer)}`;
        if (run.members.some((other) => other.state === 'ordered')) return;
        if (run.problem !== '') this.#rollBack(run, atMs);
        else this.#wireFrom(run, atMs);
      },
    );
  }

  #wireFrom(run: Addition, nowMs: number): void {
    const member = run.members[run.index];
    if (member === undefined) {
      this.#served(run, nowMs);
      return;
    }
    run.phase = 'wiring-from';
    run.mark = this.#tables.mark(member.msu, 'from');
    run.waitUntilMs = nowMs + tablesWaitMaxMs;
    this.#advanceAddition(run, nowMs);
  }

  #advanceAddition(run: Addition, nowMs: number): void {
    const member = run.members[run.index];
    if ((run.phase === 'wiring-from' || run.phase === 'wiring-to') && member !== undefined) {
      const broken = run.members.find((other) => this.#isBroken(other));
      if (broken !== undefined) {
        run.problem = `${broken.msu}#${broken.instanceId} was lost while it was being wired`;
        this.#rollBack(run, nowMs);
        return;
      }
    }
    if (run.phase === 'wiring-from' && member !== undefined) {
      const lagging = this.#tables.lagging(run.mark, member.process);
      if (lagging.length > 0) {
        if (nowMs < run.waitUntilMs) return;
        run.problem = `${member.process.key} did not take the tables that lead on from ${member.msu}`;
        this.#rollBack(run, nowMs);
        return;
      }
      this.#tables.add(member.msu, {
        instanceId: member.instanceId,
        machine: member.process.machine,
        process: member.process.process,
        weight: 1,
        isDraining: false,
      });
      member.isRouted = true;
      run.phase = 'wiring-to';
      run.mark = this.#tables.mark(member.msu, 'to');
      run.waitUntilMs = nowMs + tablesWaitMaxMs;
    } else if (run.phase === 'wiring-to') {
      const lagging = this.#tables.lagging(run.mark);
      if (lagging.length > 0 && nowMs < run.waitUntilMs) return;
      // Those that lag are sent the newest tables until they have them: no reason to give up the others.
      if (lagging.length > 0) this.#step(run, `not yet routed to by ${lagging.join(', ')}`, nowMs);
      run.index++;
      this.#wireFrom(run, nowMs);
    } else if (run.phase === 'unrouting') {
      if (this.#tables.lagging(run.mark).length > 0 && nowMs < run.waitUntilMs) return;
      this.#removeMembers(run, nowMs);
    }
  }

  #isBroken(member: Member): boolean {
    if (member.isGone || member.process.status === 'dead') return true;
    if (member.process.incarnation !== member.incarnation) return true;
    return this.#monitor.instances.get(member.instanceId)?.phase === 'lost';
  }

  #served(run: Addition, nowMs: number): void {
    const main = run.members.at(-1);
    for (const member of run.members) {
      this.arriving.delete(member.instanceId);
      member.unseenUntilMs = nowMs + unseenMaxMs;
      this.#unseen.add(member);
    }
    if (main !== undefined) {
      this.#step(run, `${main.msu}#${main.instanceId} serves`, nowMs);
      this.#log.serving(run.course.decisionId, nowMs);
    }
    for (const member of run.members) this.#events.serving(member.msu, nowMs);
    run.course.served++;
    this.#end(run, nowMs);
  }

  #rollBack(run: Addition, nowMs: number): void {
    this.#step(run, `rolling back: ${run.problem}`, nowMs);
    run.phase = 'unrouting';
    run.mark = [];
    for (const member of run.members) {
      if (!member.isRouted) continue;
      this.#tables.remove(member.instanceId);
      run.mark = [...run.mark, ...this.#tables.mark(member.msu, 'to')];
    }
    run.waitUntilMs = nowMs + tablesWaitMaxMs;
    this.#advanceAddition(run, nowMs);
  }

  #removeMembers(run: Addition, nowMs: number): void {
    run.phase = 'removing';
    let open = 0;
    const finish = (atMs: number): void => {
      for (const member of run.members) this.arriving.delete(member.instanceId);
      run.course.problems.push(run.problem);
      this.#end(run, atMs);
    };
    for (const member of run.members) {
      if (member.process.status === 'dead' || member.process.incarnation !== member.incarnation) continue;
      open++;
      const { instanceId } = member;
      this.#outbox.send(member.process, { kind: 'remove-instance', instanceId }, nowMs, (answer, atMs) => {
        member.state = 'removed';
        this.#step(run, `removed ${member.msu}#${instanceId}: ${describe(answer)}`, atMs);
        open--;
        if (open === 0) finish(atMs);
      });
    }
    if (open === 0) finish(nowMs);
  }

  #startRemoval(course: Course, instance: InstanceView, nowMs: number): void {
    this.leaving.add(instance.instanceId);
    const run: Removal = {
      kind: 'removal',
      course,
      instanceId: instance.instanceId,
      msu: instance.msu,
      process: instance.process,
      incarnation: instance.process.incarnation,
      phase: 'unrouting',
      mark: [],
      waitUntilMs: nowMs + tablesWaitMaxMs,
      drains: 0,
    };
    this.#runs.push(run);
    if (instance.phase === 'lost') {
      this.#drop(run, nowMs);
      return;
    }
    this.#tables.drain(run.instanceId);
    run.mark = this.#tables.mark(run.msu, 'to');
    this.#step(run, `no new work for ${run.msu}#${run.instanceId}`, nowMs);
  }

  #advanceRemoval(run: Removal, nowMs: number): void {
    if (run.process.status === 'dead' || run.process.incarnation !== run.incarnation) {
      this.#tables.remove(run.instanceId);
      this.#step(run, `${run.process.key} is gone, and ${run.msu}#${run.instanceId} with it`, nowMs);
      this.#removed(run, true, nowMs);
      return;
    }
    if (run.phase === 'unrouting') {
      // A sender that still sees it as usual would only prolong the drain: not waited for beyond the bound.
      if (this.#tables.lagging(run.mark).length > 0 && nowMs < run.waitUntilMs) return;
      this.#drain(run, nowMs);
    } else if (run.phase === 'dropping') {
      if (this.#tables.lagging(run.mark).length > 0 && nowMs < run.waitUntilMs) return;
      run.phase = 'removing';
      const { instanceId } = run;
      this.#outbox.send(run.process, { kind: 'remove-instance', instanceId }, nowMs, (answer, atMs) => {
        this.#step(run, `removed ${run.msu}#${instanceId}: ${describe(answer)}`, atMs);
        const isGone = answer.isOk || answer.reason === 'unknown-instance' || answer.reason === 'gone';
        if (!isGone)
          run.course.problems.push(`${run.msu}#${instanceId} was not removed: ${describe(answer)}`);
        this.#removed(run, isGone, atMs);
      });
    }
  }

  #drain(run: Removal, nowMs: number): void {
    run.phase = 'draining';
    run.drains++;
    const drainMaxMs = this.#drainMaxMs;
    this.#outbox.send(
      run.process,
      { kind: 'drain-instance', instanceId: run.instanceId, drainMaxMs },
      nowMs,
      (answer, atMs) => {
        const isFull = answer.isOk ? answer.tookMs >= drainMaxMs : answer.reason === 'not-drained';
        if (isFull && run.drains < drainTriesMax) {
          this.#step(run, `still holds work after ${run.drains} × ${drainMaxMs} ms; waiting on`, atMs);
          this.#drain(run, atMs);
          return;
        }
        this.#step(run, isFull ? 'what it still holds is ended' : `drained: ${describe(answer)}`, atMs);
        this.#drop(run, atMs);
      },
      drainMaxMs + drainMarginMs,
    );
  }

  #drop(run: Removal, nowMs: number): void {
    run.phase = 'dropping';
    this.#tables.remove(run.instanceId);
    run.mark = this.#tables.mark(run.msu, 'to');
    run.waitUntilMs = nowMs + tablesWaitMaxMs;
  }

  /** An instance has vanished from its process's reports. */
  forget(instanceId: InstanceId): void {
    if (!this.#runs.some((run) => run.kind === 'removal' && run.instanceId === instanceId)) {
      this.leaving.delete(instanceId);
    }
  }

  #removed(run: Removal, isGone: boolean, nowMs: number): void {
    // Until a report says so, too, it must not be taken for one that serves.
    if (!isGone || !this.#monitor.instances.has(run.instanceId)) this.leaving.delete(run.instanceId);
    run.course.removed++;
    this.#end(run, nowMs);
  }

  #end(run: Addition | Removal, nowMs: number): void {
    // A new array: the caller may be walking the old one.
    this.#runs = this.#runs.filter((other) => other !== run);
    const { course } = run;
    course.open--;
    if (course.open > 0) return;
    const old = course.replaced;
    course.replaced = null;
    if (old !== null) {
      this.leaving.delete(old.instanceId);
      if (course.served > 0 && this.#monitor.instances.get(old.instanceId) === old) {
        course.open = 1;
        this.#startRemoval(course, old, nowMs);
        return;
      }
    }
    this.#courses.delete(course);
    const { served, removed, problems, decisionId } = course;
    const parts = [
      served > 0 ? `${served} serving` : '',
      removed > 0 ? `${removed} removed` : '',
      ...problems,
    ];
    const detail = parts.filter((part) => part !== '').join('; ');
    const isAnyDone = served + removed > 0;
    const outcome = problems.length === 0 ? 'done' : isAnyDone ? 'partly' : 'failed';
    this.#log.close(decisionId, outcome, detail, nowMs);
    // One failure, however many instances were ordered: their process may have been restarted, once.
    if (run.kind === 'addition' && served === 0) this.#events.failed(course.msu, problems[0] ?? '', nowMs);
  }

  #step(run: Addition | Removal, text: string, nowMs: number): void {
    this.#log.step(run.course.decisionId, text, nowMs);
  }
}

function describe(answer: Answer): string {
  if (answer.isOk) return `ok (${Math.round(answer.tookMs)} ms)`;
  return answer.detail === '' ? answer.reason : `${answer.reason} (${answer.detail})`;
}
