/**
 * Codecs: how a payload becomes bytes when it leaves its thread, and is checked when it arrives. Records are
 * encoded by position, without names: boolean 1 byte; number 8 bytes (float64); string and bytes a 32-bit length
 * and UTF-8 or raw bytes; value MessagePack with a length. An optional field is preceded by a presence byte.
 */
import { Packr } from 'msgpackr';
import { type FieldKind, type GraphMessage, ShoalError } from '../model/index.ts';

/** The payload could not be decoded: it is shorter than it says, or not of the declared shape. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** The value does not have the declared shape. A programming error of the sender. */
export class EncodeError extends TypeError {
  override readonly name = 'EncodeError';
}

/** Memory that payloads are written to and read from: its bytes, and a view that reads several of them at once. */
export interface PayloadMemory {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function payloadMemory(bytes: Buffer): PayloadMemory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

export interface Codec {
  /** Writes `value` at `offset`. Answers the bytes written, or -1 where it needs more than `limit`. */
  encode(value: unknown, target: PayloadMemory, offset: number, limit: number): number;
  /** Reads a value of exactly `length` bytes. Throws {@link DecodeError}. The value does not share memory with `source`. */
  decode(source: PayloadMemory, offset: number, length: number): unknown;
}

// As a global it is a getter, which is called with every use.
const { allocUnsafe, byteLength } = Buffer;

/** Up to this length strings are copied by character in JavaScript, which is faster than a call into C++. */
const shortString = 48;

/** Up to this length bytes are copied in JavaScript, for the same reason (64: 110 ns with what they are copied to, else 163). */
const shortBytes = 128;

const bytesCodec: Codec = {
  encode(value, target, offset, limit) {
    if (!(value instanceof Uint8Array)) throw new EncodeError(`a port of bytes was given ${describe(value)}`);
    if (value.length > limit) return -1;
    target.bytes.set(value, offset);
    return value.length;
  },
  decode(source, offset, length) {
    const copy = allocUnsafe(length);
    if (length > shortBytes) source.bytes.copy(copy, 0, offset, offset + length);
    else copyShort(source, offset, copy);
    return copy;
  },
};

function copyShort({ bytes, view }: PayloadMemory, offset: number, copy: Buffer): void {
  const { length } = copy;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const four = view.getInt32(offset + i, true);
    copy[i] = four;
    copy[i + 1] = four >>> 8;
    copy[i + 2] = four >>> 16;
    copy[i + 3] = four >>> 24;
  }
  for (; i < length; i++) copy[i] = bytes[offset + i] as number;
}

// Self-contained messages: no shared structures, so that a replaced thread can read what its predecessor was sent.
// Binary parts are copied, because the slot that they are read from is used again.
const packr = new Packr({
  useRecords: false,
  moreTypes: true,
  copyBuffers: true,
  // By itself it leaves functions out, and they would be missed only where the value is used.
  writeFunction: () => {
    throw new EncodeError('it has a function in it');
  },
});

/**
 * Values are copied here before they are read: msgpackr hands strings to native code, which throws, caught and at a
 * cost of 7 µs, for memory that is shared. Larger ones get a copy of their own.
 */
const unpackScratch = Buffer.allocUnsafeSlow(16_384);

const valueCodec: Codec = {
  encode(value, target, offset, limit) {
    let packed: Buffer;
    try {
      packed = packr.pack(value);
    } catch (error) {
      const { message } = error as Error;
      const why = /call stack/.test(message) ? 'it contains itself, or is nested too deeply' : message;
      throw new EncodeError(`MessagePack cannot hold the value: ${why}`);
    }
    if (packed.length > limit) return -1;
    target.bytes.set(packed, offset);
    return packed.length;
  },
  decode(source, offset, length) {
    const copy = length <= unpackScratch.length ? unpackScratch : allocUnsafe(length);
    source.bytes.copy(copy, 0, offset, offset + length);
    try {
      return packr.unpack(copy, { start: 0, end: length });
    } catch (error) {
      throw new DecodeError(`not MessagePack: ${(error as Error).message}`);
    }
  },
};

function describe(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

/** Writes a string with its length; -1 where it does not fit. */
function encodeString(text: string, { bytes, view }: PayloadMemory, offset: number, limit: number): number {
  const length = text.length;
  if (length <= shortString && length + 4 <= limit) {
    let at = offset + 4;
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) break;
      bytes[at++] = unit;
    }
    if (i === length) {
      view.setUint32(offset, length, true);
      return length + 4;
    }
  }
  const size = byteLength(text);
  if (size + 4 > limit) return -1;
  view.setUint32(offset, size, true);
  bytes.write(text, offset + 4, size, 'utf8');
  return size + 4;
}

/** Reads a string of one length at `offset`; null where a character of it is not ASCII. */
type ReadString = (bytes: Buffer, offset: number) => string | null;

/**
 * Up to this length strings are made by one call, from as many characters as they have: it takes code for each length (17
 * characters: 38 ns, by a call into C++ 79; 32: 66 and 93). What is added up piece by piece takes longer, and is flattened
 * where it is used.
 */
const madeStringMax = 32;
const madeStrings: (ReadString | undefined)[] = [];

function compileReadString(length: number): ReadString {
  const characters = Array.from({ length }, (_, i) => `c${i}`);
  const read = characters.map((name, i) => `const ${name} = bytes[offset + ${i}];`).join(' ');
  return createFunction(`'use strict';
    return (bytes, offset) => {
      ${read}
      return (${['0', ...characters].join(' | ')}) > 127 ? null : String.fromCharCode(${characters.join(', ')});
    };`)(helpers) as ReadString;
}

function decodeString({ bytes }: PayloadMemory, offset: number, length: number): string {
  if (length <= madeStringMax) {
    let read = madeStrings[length];
    if (read === undefined) {
      read = compileReadString(length);
      madeStrings[length] = read;
    }
    const text = read(bytes, offset);
    if (text !== null) return text;
  }
  return bytes.toString('utf8', offset, offset + length);
}

// ── records ────────────────────────────────────────────────────────────────────────────────────────────────
//
// Each record type gets code of its own, a line or two a field, that calls the functions below: names are constants there,
// and what is read is made with its shape. By one piece of code for all types, which looks names up, a record of a
// number and a string of 17 characters took 125 ns to write and 147 to read; so it takes 80 and 66.

/** What writes a field from `at` on, and answers where it ends, or -1 where that is beyond `end`. */
const writers = {
  number(target: PayloadMemory, at: number, end: number, field: unknown, name: string): number {
    if (typeof field !== 'number') throw wrongField(name, 'number', field);
    if (end - at < 8) return -1;
    target.view.setFloat64(at, field, true);
    return at + 8;
  },
  boolean(target: PayloadMemory, at: number, end: number, field: unknown, name: string): number {
    if (typeof field !== 'boolean') throw wrongField(name, 'boolean', field);
    if (at >= end) return -1;
    target.bytes[at] = field ? 1 : 0;
    return at + 1;
  },
  string(target: PayloadMemory, at: number, end: number, field: unknown, name: string): number {
    if (typeof field !== 'string') throw wrongField(name, 'string', field);
    const written = encodeString(field, target, at, end - at);
    return written < 0 ? -1 : at + written;
  },
  bytes(target: PayloadMemory, at: number, end: number, field: unknown, name: string): number {
    if (!(field instanceof Uint8Array)) throw wrongField(name, 'bytes', field);
    if (field.length + 4 > end - at) return -1;
    target.view.setUint32(at, field.length, true);
    target.bytes.set(field, at + 4);
    return at + 4 + field.length;
  },
  value(target: PayloadMemory, at: number, end: number, field: unknown): number {
    const written = end - at < 4 ? -1 : valueCodec.encode(field, target, at + 4, end - at - 4);
    if (written < 0) return -1;
    target.view.setUint32(at, written, true);
    return at + 4 + written;
  },
} as const;

/** What reads a field at `at`; of kinds without a fixed size, `size` bytes. There is room for so many. */
const readers = {
  number(source: PayloadMemory, at: number): number {
    return source.view.getFloat64(at, true);
  },
  boolean(source: PayloadMemory, at: number, _size: number, name: string): boolean {
    const byte = source.bytes[at] as number;
    if (byte > 1) throw new DecodeError(`field '${name}' has ${byte} where 0 or 1 must be`);
    return byte === 1;
  },
  string: decodeString,
  bytes: bytesCodec.decode,
  value: valueCodec.decode,
} as const;

/** What the code of a record type is given. */
const helpers = {
  writers,
  readers,
  checkRecord(value: unknown): void {
    if (typeof value !== 'object' || value === null)
      throw new EncodeError(`a port of records was given ${describe(value)}`);
  },
  /** The size of a field that says so itself, in 4 bytes. */
  readSize(source: PayloadMemory, at: number, end: number, name: string): number {
    helpers.checkRoom(at, 4, end, name);
    const size = source.view.getUint32(at, true);
    if (size > end - at - 4)
      throw new DecodeError(`field '${name}' says ${size} bytes, ${end - at - 4} are left`);
    return size;
  },
  checkRoom(at: number, size: number, end: number, name: string): void {
    if (at + size > end) throw new DecodeError(`record ends within field '${name}'`);
  },
  checkEnd(at: number, end: number): void {
    if (at !== end) throw new DecodeError(`${end - at} bytes are left after the last field`);
  },
} as const;

interface Field {
  readonly kind: FieldKind;
  readonly isOptional: boolean;
  /** The name, and where its value is, as code. */
  readonly name: string;
  readonly local: string;
}

function codeOfWriting({ kind, isOptional, name, local }: Field): string {
  const write = `if ((at = writers.${kind}(target, at, end, ${local}, ${name})) < 0) return -1;`;
  if (!isOptional) return `const ${local} = record[${name}]; ${write}`;
  return `const ${local} = record[${name}];
    if (at >= end) return -1;
    target.bytes[at++] = ${local} === undefined ? 0 : 1;
    if (${local} !== undefined) { ${write} }`;
}

const fixedSizes: Partial<Record<FieldKind, number>> = { number: 8, boolean: 1 };

function codeOfReading({ kind, isOptional, name, local }: Field): string {
  const fixed = fixedSizes[kind];
  const size =
    fixed === undefined
      ? `size = readSize(source, at, end, ${name}); at += 4;`
      : `size = ${fixed}; checkRoom(at, size, end, ${name});`;
  const read = `${size} ${local} = readers.${kind}(source, at, size, ${name}); at += size;`;
  if (!isOptional) return `let ${local}; ${read}`;
  return `let ${local};
    checkRoom(at, 1, end, ${name});
    if (readers.boolean(source, at++, 1, ${name})) { ${read} }`;
}

/** Makes the object: at once with all fields before the first that may be absent, then the others one by one. */
function codeOfMaking(fields: readonly Field[]): string {
  const firstOptional = fields.findIndex(({ isOptional }) => isOptional);
  const certain = firstOptional < 0 ? fields : fields.slice(0, firstOptional);
  const rest = fields.slice(certain.length).map(({ isOptional, name, local }) => {
    const set = `record[${name}] = ${local};`;
    return isOptional ? `if (${local} !== undefined) ${set}` : set;
  });
  const literal = certain.map(({ name, local }) => `${name}: ${local}`).join(', ');
  return `const record = { ${literal} }; ${rest.join(' ')}`;
}

function compileRecord(declared: Readonly<Record<string, string>>): Codec {
  const fields = Object.entries(declared).map(
    ([name, kind], index): Field => ({
      kind: kind.replace('?', '') as FieldKind,
      isOptional: kind.endsWith('?'),
      name: JSON.stringify(name),
      local: `field${index}`,
    }),
  );
  const code = `'use strict';
    const { ${Object.keys(helpers).join(', ')} } = helpers;
    return {
      encode(record, target, offset, limit) {
        checkRecord(record);
        const end = offset + limit;
        let at = offset;
        ${fields.map(codeOfWriting).join('\n')}
        return at - offset;
      },
      decode(source, offset, length) {
        const end = offset + length;
        let at = offset;
        let size = 0;
        ${fields.map(codeOfReading).join('\n')}
        checkEnd(at, end);
        ${codeOfMaking(fields)}
        return record;
      },
    };`;
  return createFunction(code)(helpers) as Codec;
}

function createFunction(code: string): (given: typeof helpers) => unknown {
  try {
    return new Function('helpers', code) as (given: typeof helpers) => unknown;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    throw new ShoalError(
      'SHOAL_START_FAILED',
      'Shoal makes code for the records that ports carry, and Node was told not to allow that: start it without --disallow-code-generation-from-strings.',
    );
  }
}

/** By their fields: a type has one, however many ports carry it. */
const recordCodecs = new Map<string, Codec>();

function recordCodec(fields: Readonly<Record<string, string>>): Codec {
  const signature = JSON.stringify(Object.entries(fields));
  let codec = recordCodecs.get(signature);
  if (codec === undefined) {
    codec = compileRecord(fields);
    recordCodecs.set(signature, codec);
  }
  return codec;
}

function wrongField(name: string, kind: FieldKind, field: unknown): EncodeError {
  return new EncodeError(`field '${name}' of a record is declared as ${kind} but is ${describe(field)}`);
}

const connectionFields = {
  descriptor: 'number',
  inode: 'number',
  remoteAddress: 'string',
  remotePort: 'number',
  localAddress: 'string',
  localPort: 'number',
};

/** The codec of a declared message type. */
export function createCodec(message: GraphMessage): Codec {
  switch (message.kind) {
    case 'bytes':
      return bytesCodec;
    case 'value':
      return valueCodec;
    case 'connection':
      return recordCodec(connectionFields);
    case 'record':
      return recordCodec(message.fields ?? {});
  }
}
