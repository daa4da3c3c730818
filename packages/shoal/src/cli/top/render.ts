/** The screen of `shoal top` as text: a pure function of what the control endpoint answers and the size. */
import type { InstanceFigures, TypeFigures } from '../../controller/index.ts';
import type { ControlSnapshot, DecisionWithText } from '../api/control-source.ts';
import { formatCount, formatMs, formatName, formatShare, wrapWords } from './figures.ts';

/** Size of a terminal. Smaller ones than 60 × 12 are drawn as that. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

interface Column<T> {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: T) => string;
}

const columnsMin = 60;
const rowsMin = 12;

/** A table row: the first column is text and takes the room that is left; the others are figures, to the right. */
function tableLine<T>(first: string, columns: readonly Column<T>[], width: number, row: T | null): string {
  const rest = columns.map((column) =>
    (row === null ? column.title : column.cell(row)).padStart(column.width),
  );
  const right = rest.join(' ');
  const room = width - right.length - 1;
  return `${formatName(first, room).padEnd(room)} ${right}`.trimEnd();
}

function typeColumns(snapshot: ControlSnapshot, width: number): Column<TypeFigures>[] {
  const sojourn = (type: TypeFigures): { p50Ms: number | null; p99Ms: number | null } =>
    snapshot.sojourn[type.msu] ?? { p50Ms: null, p99Ms: null };
  const shed = (type: TypeFigures): number => type.instances.reduce((sum, i) => sum + i.shedPerSecond, 0);
  const always: Column<TypeFigures>[] = [
    { title: 'RUN', width: 4, cell: (type) => formatCount(type.serving) },
    {
      title: 'CLONES',
      width: 6,
      cell: (type) => formatCount(type.instances.filter((i) => i.isClone).length),
    },
    { title: 'QUEUE', width: 6, cell: (type) => formatCount(type.backlog) },
    { title: 'IN/S', width: 6, cell: (type) => formatCount(type.arrivalsPerSecond) },
    { title: 'DONE/S', width: 6, cell: (type) => formatCount(type.completionsPerSecond) },
    { title: 'LOST/S', width: 6, cell: (type) => formatCount(type.refusedPerSecond + shed(type)) },
    { title: 'BUSY', width: 5, cell: (type) => formatShare(type.utilization) },
    { title: 'P50', width: 6, cell: (type) => formatMs(sojourn(type).p50Ms) },
    { title: 'P99', width: 6, cell: (type) => formatMs(sojourn(type).p99Ms) },
  ];
  if (width < 100) return always;
  return [
    ...always,
    { title: 'DEMAND', width: 6, cell: (type) => formatCount(type.demand) },
    { title: 'RATE/I', width: 6, cell: (type) => formatCount(type.trueRatePerSecond) },
  ];
}

interface InstanceRow extends InstanceFigures {
  readonly msu: string;
}

function instanceColumns(width: number): Column<InstanceRow>[] {
  const isWide = width >= 100;
  const phase = (row: InstanceRow): string => (row.isDraining ? 'draining' : row.phase);
  return [
    {
      title: 'WHERE',
      width: isWide ? 24 : 14,
      cell: (row) => formatName(`${row.machine}/${row.process}`, isWide ? 24 : 14),
    },
    { title: 'THREAD', width: 6, cell: (row) => formatCount(row.threadId) },
    { title: 'PHASE', width: 8, cell: phase },
    { title: 'QUEUE', width: 6, cell: (row) => formatCount(row.queueLength) },
    { title: 'DONE/S', width: 6, cell: (row) => formatCount(row.completedPerSecond) },
    { title: 'BUSY', width: 5, cell: (row) => formatShare(row.utilization) },
    ...(isWide ? [{ title: 'P50', width: 6, cell: (row: InstanceRow) => formatMs(row.sojournP50Ms) }] : []),
    { title: 'P99', width: 6, cell: (row) => formatMs(row.sojournP99Ms) },
  ];
}

/** The first `room` lines; where there are more, the last one says how many. */
function fit(lines: readonly string[], room: number, noun: string): string[] {
  if (lines.length <= room) return [...lines];
  if (room <= 0) return [];
  return [...lines.slice(0, room - 1), `... and ${lines.length - room + 1} more ${noun}`];
}

function heading({ view }: ControlSnapshot, width: number): string[] {
  const cores = view.machines.reduce((sum, machine) => sum + machine.cores, 0);
  const free = view.machines.reduce((sum, machine) => sum + machine.freeCores, 0);
  const alive = view.processes.filter((process) => process.status === 'alive').length;
  const clones = view.clonesMax === 0 ? String(view.clones) : `${view.clones} of ${view.clonesMax}`;
  const parts = [
    `shoal top: ${formatName(view.app, 30)}`,
    `${alive} of ${view.processes.length} process${view.processes.length === 1 ? '' : 'es'}`,
    `${formatCount(free)} of ${formatCount(cores)} cores free`,
    `clones ${clones}`,
    ...(view.isActive ? [] : ['controller only watches']),
    'q quits',
  ];
  return wrapWords(parts.join(' | '), width, 2);
}

/** Types first that need a look: overloaded ones, then the busiest; the order of the app breaks ties. */
function typeLines(snapshot: ControlSnapshot, width: number): string[] {
  const columns = typeColumns(snapshot, width);
  const types = [...snapshot.view.types].sort(
    (a, b) =>
      Number(b.isOverloaded) - Number(a.isOverloaded) ||
      b.utilization * b.serving - a.utilization * a.serving,
  );
  return types.map((type) => {
    const mark = type.isOverloaded ? (type.blockedBy === '' ? '! ' : '!x') : '  ';
    return tableLine(`${mark}${type.msu}`, columns, width, type);
  });
}

function instanceLines({ view }: ControlSnapshot, width: number): string[] {
  const rows = view.types.flatMap((type) =>
    type.instances.map((i): InstanceRow => ({ ...i, msu: type.msu })),
  );
  rows.sort((a, b) => b.utilization - a.utilization || a.instanceId - b.instanceId);
  const columns = instanceColumns(width);
  return rows.map((row) =>
    tableLine(`  ${row.msu}#${row.instanceId}${row.isClone ? ' +' : ''}`, columns, width, row),
  );
}

function decisionLines(
  decisions: readonly DecisionWithText[],
  atMs: number,
  width: number,
  room: number,
): string[] {
  const lines: string[] = [];
  for (const decision of [...decisions].reverse()) {
    const text = `${formatMs(Math.max(0, atMs - decision.atMs))} ago: ${decision.text.replace(/^[\d.]+ s /, '')}`;
    const wrapped = wrapWords(text, width - 4, 2).map(
      (line, index) => `${index === 0 ? '  ' : '    '}${line}`,
    );
    if (lines.length + wrapped.length > room) break;
    lines.push(...wrapped);
  }
  return lines;
}

/** The screen: at most `rows` lines of at most `columns` characters. */
export function renderTop(snapshot: ControlSnapshot, size: Size): string[] {
  const width = Math.max(columnsMin, Math.floor(size.columns));
  const height = Math.max(rowsMin, Math.floor(size.rows));
  const head = heading(snapshot, width);
  const types = typeLines(snapshot, width);
  const instances = instanceLines(snapshot, width);
  const titles = 3;
  const room = height - head.length - titles;
  // Half for types, a quarter for decisions at least; what one part does not need, the next one has.
  const shownTypes = fit(types, Math.min(types.length, Math.ceil(room / 2)), 'types');
  const left = room - shownTypes.length;
  const decisionRoom = Math.max(2, left - Math.min(instances.length, Math.ceil(left / 2)));
  const decisions = decisionLines(snapshot.recentDecisions, snapshot.view.atMs, width, decisionRoom);
  const shownInstances = fit(instances, left - Math.max(decisions.length, 1), 'instances');
  const parts = [
    [...head, tableLine('  TYPE', typeColumns(snapshot, width), width, null), ...shownTypes],
    [tableLine('  INSTANCE (+ clone)', instanceColumns(width), width, null), ...shownInstances],
    ['LAST DECISIONS', ...(decisions.length === 0 ? ['  none'] : decisions)],
  ];
  const isRoomy = parts.flat().length + 2 <= height;
  return parts.flatMap((lines, index) => (isRoomy && index > 0 ? ['', ...lines] : lines)).slice(0, height);
}
