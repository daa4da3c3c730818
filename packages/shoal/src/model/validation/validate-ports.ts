/** What can be wrong with the ports and timers of one MSU type. */
import type { AnyMsuType } from '../app.ts';
import type { FieldKind, MessageKind } from '../message-type.ts';
import { portRules } from '../number-rule.ts';
import type { Place } from '../place.ts';
import { type AddProblem, orList, show } from '../problem.ts';
import { checkNumber } from './checks.ts';
import { isPortName, suggest } from './names.ts';

const inKinds = ['receives', 'serves'];
const outKinds = ['sends', 'publishes', 'requests'];
const messageKinds: readonly MessageKind[] = ['bytes', 'record', 'value', 'connection'];
const fieldKinds: readonly FieldKind[] = ['boolean', 'number', 'string', 'bytes', 'value'];
/** Handlers that are not of a port or timer. */
const reservedNames = ['onError', 'onDrain', 'onClose', 'exportState', 'importState'];
/** Fields of the longest record. */
const fieldsMax = 256;

interface RawPort {
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly reply?: unknown;
  readonly timeoutMs?: unknown;
}

/** What is wrong with a message type, as a phrase; null if nothing is. */
function messageFault(message: unknown): { what: string; mend: string } | null {
  const type = message as { kind?: unknown; fields?: unknown } | null | undefined;
  const mend = 'Use bytes(), record({…}), value() or connection()';
  if (typeof type !== 'object' || type === null || !messageKinds.includes(type.kind as MessageKind)) {
    return { what: `has the message type ${show(message)}`, mend };
  }
  if (type.kind !== 'record') return null;
  const fields = Object.entries((type.fields ?? {}) as Record<string, unknown>);
  if (fields.length === 0) return { what: 'carries a record without fields', mend: 'Give it a field' };
  if (fields.length > fieldsMax) {
    return { what: `carries a record of ${fields.length} fields`, mend: `Use at most ${fieldsMax}` };
  }
  for (const [name, kind] of fields) {
    if (name === '__proto__')
      return { what: 'carries a record with a field "__proto__"', mend: 'Give it another name' };
    if (typeof kind === 'string' && fieldKinds.includes(kind.replace(/\?$/, '') as FieldKind)) continue;
    const choices = orList(fieldKinds.map((known) => `"${known}"`));
    return { what: `carries a record whose field "${name}" is ${show(kind)}`, mend: `Use ${choices}` };
  }
  return null;
}

/** True if the port can be compared with others. */
export function isSoundPort(port: unknown): boolean {
  const raw = port as RawPort | null | undefined;
  if (typeof raw !== 'object' || raw === null) return false;
  if (![...inKinds, ...outKinds].includes(raw.kind as string) || messageFault(raw.message) !== null)
    return false;
  return !(raw.kind === 'serves' || raw.kind === 'requests') || messageFault(raw.reply) === null;
}

function checkPort(where: Place, subject: string, port: RawPort, side: 'in' | 'out', add: AddProblem): void {
  const kinds = side === 'in' ? inKinds : outKinds;
  if (!kinds.includes(port?.kind as string)) {
    const wrongSide = (side === 'in' ? outKinds : inKinds).includes(port?.kind as string);
    const what = wrongSide
      ? `${subject} is among the ${side}-ports, but made by ${port.kind}()`
      : `${subject} is not a port`;
    const mend = wrongSide
      ? `Move it to "${side === 'in' ? 'out' : 'in'}", or make it with ${orList(kinds)}()`
      : `Make it with ${kinds.map((kind) => `${kind}()`).join(' or ')}`;
    add(where, what, mend);
    return;
  }
  const fault =
    messageFault(port.message) ??
    (port.kind === 'serves' || port.kind === 'requests' ? messageFault(port.reply) : null);
  if (fault !== null) add(where, `${subject} ${fault.what}`, fault.mend);
  const isConnection = (message: unknown): boolean => (message as { kind?: unknown })?.kind === 'connection';
  if (port.kind === 'publishes' && isConnection(port.message)) {
    add(
      where,
      `${subject} publishes connections, but a connection can go to one instance only`,
      'Use sends(connection())',
    );
  }
  if ((port.kind === 'serves' || port.kind === 'requests') && isConnection(port.reply)) {
    add(
      where,
      `${subject} replies with a connection, which only sends() carries`,
      'Send it on a port of its own',
    );
  }
  if (port.kind === 'requests') {
    checkNumber(where, subject, 'timeoutMs', port.timeoutMs, portRules.timeoutMs, add);
  }
}

/** Reports what is wrong with the ports and timers of a type. */
export function validatePorts(msu: AnyMsuType, where: Place, subject: string, add: AddProblem): void {
  for (const side of ['in', 'out'] as const) {
    for (const [name, port] of Object.entries((msu[side] ?? {}) as Record<string, RawPort>)) {
      const portSubject = `${subject}: ${side}-port "${name}"`;
      if (!isPortName(name)) {
        add(where, `${portSubject} has a bad name`, 'Use a name that is an identifier, such as "requestIn"');
      }
      checkPort(where, portSubject, port, side, add);
    }
  }
  const timers: [string, unknown][] = Object.entries(msu.timers ?? {});
  for (const [name, spec] of timers) {
    const timerSubject = `${subject}: timer "${name}"`;
    if (!isPortName(name)) add(where, `${timerSubject} has a bad name`, 'Use a name that is an identifier');
    if (typeof spec !== 'object' || spec === null) {
      add(where, `${timerSubject} is ${show(spec)}`, 'Give { periodMs }');
      continue;
    }
    const fields = spec as Readonly<Record<string, unknown>>;
    for (const key of Object.keys(fields)) {
      const known = ['periodMs', 'delayMs', 'priority'];
      if (!known.includes(key)) {
        add(where, `${timerSubject} has an unknown option "${key}"`, suggest(key, known, 'Remove it'));
      }
    }
    if (fields.periodMs === undefined)
      add(where, `${timerSubject} has no periodMs`, 'Give one; 0 fires once');
    for (const key of ['periodMs', 'delayMs', 'priority'] as const) {
      checkNumber(where, timerSubject, key, fields[key], portRules[key], add);
    }
  }
  const inNames = Object.keys(msu.in ?? {});
  for (const name of [...inNames, ...timers.map(([timer]) => timer)]) {
    if (!reservedNames.includes(name)) continue;
    add(
      where,
      `${subject}: "${name}" is the name of a handler of the platform`,
      'Name the port or timer otherwise',
    );
  }
  for (const [name] of timers) {
    if (!inNames.includes(name)) continue;
    add(where, `${subject}: "${name}" is both an in-port and a timer`, 'Rename one: each has its handler');
  }
}
