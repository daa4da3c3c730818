/**
 * Codecs: how a payload becomes bytes when it leaves its thread, and is checked when it arrives. Records are
 * encoded by position, without names: boolean 1 byte; number 8 bytes (float64); string and bytes a 32-bit length
 * and UTF-8 or raw bytes; value MessagePack with a length. An optional field is preceded by a presence byte.
 */
import { Packr } from 'msgpackr';
import type { FieldKind, GraphMessage } from '../model/index.ts';

/** The payload could not be decoded: it is shorter than it says, or not of the declared shape. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** The value does not have the declared shape. A programming error of the sender. */
export class EncodeError extends TypeError {
  override readonly name = 'EncodeError';
}

export interface Codec {
  /** Writes `value` at `offset`. Answers the bytes written, or -1 where it needs more than `limit`. */
  encode(value: unknown, target: Buffer, offset: number, limit: number): number;
  /** Reads a value of exactly `length` bytes. Throws {@link DecodeError}. The value does not share memory with `source`. */
  decode(source: Buffer, offset: number, length: number): unknown;
}

/** Up to this length strings are copied by character in JavaScript, which is faster than a call into C++. */
const shortString = 48;

/** Up to this length bytes are copied one by one, for the same reason. */
const shortBytes = 96;

const bytesCodec: Codec = {
  encode(value, target, offset, limit) {
    if (!(value instanceof Uint8Array)) throw new EncodeError(`a port of bytes was given ${describe(value)}`);
    if (value.length > limit) return -1;
    target.set(value, offset);
    return value.length;
  },
  decode(source, offset, length) {
    const copy = Buffer.allocUnsafe(length);
    if (length > shortBytes) source.copy(copy, 0, offset, offset + length);
    else for (let i = 0; i < length; i++) copy[i] = source[offset + i] as number;
    return copy;
  },
};

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
    target.set(packed, offset);
    return packed.length;
  },
  decode(source, offset, length) {
    const copy = length <= unpackScratch.length ? unpackScratch : Buffer.allocUnsafe(length);
    source.copy(copy, 0, offset, offset + length);
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
function encodeString(text: string, target: Buffer, offset: number, limit: number): number {
  const length = text.length;
  if (length <= shortString && length + 4 <= limit) {
    let at = offset + 4;
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) break;
      target[at++] = unit;
    }
    if (i === length) {
      writeLength(target, offset, length);
      return length + 4;
    }
  }
  const size = Buffer.byteLength(text);
  if (size + 4 > limit) return -1;
  writeLength(target, offset, size);
  target.write(text, offset + 4, size, 'utf8');
  return size + 4;
}

function writeLength(target: Buffer, offset: number, length: number): void {
  target[offset] = length & 255;
  target[offset + 1] = (length >>> 8) & 255;
  target[offset + 2] = (length >>> 16) & 255;
  target[offset + 3] = length >>> 24;
}

/**
 * Short strings are built here, eight characters at a time: each character that is added on its own makes another string,
 * and from the thirteenth on a rope (18 characters: 198 ns one by one, 88 by eights, 105 by a call into C++).
 */
function decodeString(source: Buffer, offset: number, length: number): string {
  if (length > 24) return source.toString('utf8', offset, offset + length);
  let text = '';
  let i = 0;
  for (; i + 8 <= length; i += 8) {
    const at = offset + i;
    const a = source[at] as number;
    const b = source[at + 1] as number;
    const c = source[at + 2] as number;
    const d = source[at + 3] as number;
    const e = source[at + 4] as number;
    const f = source[at + 5] as number;
    const g = source[at + 6] as number;
    const h = source[at + 7] as number;
    if ((a | b | c | d | e | f | g | h) > 127) return source.toString('utf8', offset, offset + length);
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; i < length; i++) {
    const unit = source[offset + i] as number;
    if (unit > 127) return source.toString('utf8', offset, offset + length);
    text += String.fromCharCode(unit);
  }
  return text;
}

class RecordCodec implements Codec {
  readonly #names: readonly string[];
  readonly #kinds: readonly FieldKind[];
  readonly #isOptional: readonly boolean[];
  readonly #number = new Float64Array(1);
  readonly #numberBytes: Uint8Array = new Uint8Array(this.#number.buffer);

  constructor(fields: Readonly<Record<string, string>>) {
    this.#names = Object.keys(fields);
    this.#isOptional = Object.values(fields).map((kind) => kind.endsWith('?'));
    this.#kinds = Object.values(fields).map((kind) => kind.replace('?', '') as FieldKind);
  }

  encode(value: unknown, target: Buffer, offset: number, limit: number): number {
    if (typeof value !== 'object' || value === null)
      throw new EncodeError(`a port of records was given ${describe(value)}`);
    const record = value as Record<string, unknown>;
    const end = offset + limit;
    let at = offset;
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] as string;
      const field = record[name];
      if (this.#isOptional[i]) {
        if (at >= end) return -1;
        target[at++] = field === undefined ? 0 : 1;
        if (field === undefined) continue;
      }
      const written = this.#encodeField(this.#kinds[i] as FieldKind, name, field, target, at, end - at);
      if (written < 0) return -1;
      at += written;
    }
    return at - offset;
  }

  #encodeField(
    kind: FieldKind,
    name: string,
    field: unknown,
    target: Buffer,
    at: number,
    limit: number,
  ): number {
    switch (kind) {
      case 'number': {
        if (typeof field !== 'number') throw wrongField(name, kind, field);
        if (limit < 8) return -1;
        this.#number[0] = field;
        const b = this.#numberBytes;
        for (let k = 0; k < 8; k++) target[at + k] = b[k] as number;
        return 8;
      }
      case 'boolean':
        if (typeof field !== 'boolean') throw wrongField(name, kind, field);
        if (limit < 1) return -1;
        target[at] = field ? 1 : 0;
        return 1;
      case 'string':
        if (typeof field !== 'string') throw wrongField(name, kind, field);
        return encodeString(field, target, at, limit);
      case 'bytes':
        if (!(field instanceof Uint8Array)) throw wrongField(name, kind, field);
        if (field.length + 4 > limit) return -1;
        writeLength(target, at, field.length);
        target.set(field, at + 4);
        return field.length + 4;
      case 'value': {
        const written = limit < 4 ? -1 : valueCodec.encode(field, target, at + 4, limit - 4);
        if (written < 0) return -1;
        writeLength(target, at, written);
        return written + 4;
      }
    }
  }

  decode(source: Buffer, offset: number, length: number): unknown {
    const record: Record<string, unknown> = {};
    const end = offset + length;
    let at = offset;
    for (let i = 0; i < this.#names.length; i++) {
      const name = this.#names[i] as string;
      if (this.#isOptional[i]) {
        if (at >= end) throw new DecodeError(`record ends before field '${name}'`);
        if (!readBoolean(source, at++, name)) continue;
      }
      const kind = this.#kinds[i] as FieldKind;
      const fixed = kind === 'number' ? 8 : kind === 'boolean' ? 1 : 4;
      if (at + fixed > end) throw new DecodeError(`record ends within field '${name}'`);
      if (kind === 'number') {
        const b = this.#numberBytes;
        for (let k = 0; k < 8; k++) b[k] = source[at + k] as number;
        record[name] = this.#number[0];
        at += 8;
        continue;
      }
      if (kind === 'boolean') {
        record[name] = readBoolean(source, at++, name);
        continue;
      }
      const size = source.readUInt32LE(at);
      at += 4;
      if (size > end - at) throw new DecodeError(`field '${name}' says ${size} bytes, ${end - at} are left`);
      record[name] =
        kind === 'string'
          ? decodeString(source, at, size)
          : kind === 'bytes'
            ? bytesCodec.decode(source, at, size)
            : valueCodec.decode(source, at, size);
      at += size;
    }
    if (at !== end) throw new DecodeError(`${end - at} bytes are left after the last field`);
    return record;
  }
}

function readBoolean(source: Buffer, at: number, name: string): boolean {
  const byte = source[at] as number;
  if (byte > 1) throw new DecodeError(`field '${name}' has ${byte} where 0 or 1 must be`);
  return byte === 1;
}

function wrongField(name: string, kind: FieldKind, field: unknown): EncodeError {
  return new EncodeError(`field '${name}' of a record is declared as ${kind} but is ${describe(field)}`);
}

const connectionCodec: Codec = new RecordCodec({
  descriptor: 'number',
  inode: 'number',
  remoteAddress: 'string',
  remotePort: 'number',
  localAddress: 'string',
  localPort: 'number',
});

/** The codec of a declared message type. */
export function createCodec(message: GraphMessage): Codec {
  switch (message.kind) {
    case 'bytes':
      return bytesCodec;
    case 'value':
      return valueCodec;
    case 'connection':
      return connectionCodec;
    case 'record':
      return new RecordCodec(message.fields ?? {});
  }
}
