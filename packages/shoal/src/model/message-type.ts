/**
 * What travels through a port. A message type is plain data: it names the codec used when a message leaves
 * its thread (within a thread the value is passed by reference, and belongs to the receiver from then on).
 */

/** The kinds of a record's fields. A trailing `?` makes the field optional (absent is `undefined`). */
export type FieldKind = 'boolean' | 'number' | 'string' | 'bytes' | 'value';

/** The fields of a record, in the order in which they are encoded. */
export type RecordFields = Readonly<Record<string, FieldKind | `${FieldKind}?`>>;

interface FieldTypes {
  boolean: boolean;
  number: number;
  string: string;
  bytes: Uint8Array;
  value: unknown;
}

type RequiredFields<F extends RecordFields> = {
  -readonly [K in keyof F as F[K] extends FieldKind ? K : never]: F[K] extends FieldKind
    ? FieldTypes[F[K]]
    : never;
};

type OptionalFields<F extends RecordFields> = {
  -readonly [K in keyof F as F[K] extends `${FieldKind}?`
    ? K
    : never]?: F[K] extends `${infer Kind extends FieldKind}?` ? FieldTypes[Kind] | undefined : never;
};

/** The TypeScript type of a record with fields `F`. */
export type RecordOf<F extends RecordFields> = RequiredFields<F> & OptionalFields<F>;

/**
 * Which codec carries a message between threads:
 * - `bytes`: the payload is a `Uint8Array`, copied as it is;
 * - `record`: declared fields, encoded by position, checked on decode;
 * - `value`: any structured value, MessagePack;
 * - `connection`: an accepted connection (a file descriptor; stays in its process).
 */
export type MessageKind = 'bytes' | 'record' | 'value' | 'connection';

/** The declared type of the messages of a port. Made by {@link bytes}, {@link record}, {@link value}, {@link connection}. */
export interface MessageType<T> {
  readonly kind: MessageKind;
  /** Present for `record` only. */
  readonly fields?: RecordFields;
  /** Never present: carries `T` for the type checker (invariant, so that only equal types connect). */
  readonly carries?: (message: T) => T;
}

/** Raw bytes. */
export function bytes(): MessageType<Uint8Array> {
  return { kind: 'bytes' };
}

/** A record of declared fields: `record({ url: 'string', body: 'bytes?' })`. */
export function record<const F extends RecordFields>(fields: F): MessageType<RecordOf<F>> {
  return { kind: 'record', fields };
}

/**
 * Any structured value (objects, arrays, sets, dates…), carried as MessagePack; `T` is not checked on decode. A
 * `Map` arrives in another thread as a plain object.
 */
export function value<T>(): MessageType<T> {
  return { kind: 'value' };
}

/** An accepted connection on its way from a listener to the instance that will read it. */
export interface Connection {
  /** The file descriptor, owned by the message until an instance takes it. */
  readonly descriptor: number;
  /** Inode of the socket: tells it from a later one that got the same descriptor. */
  readonly inode: number;
  /** Address of the client, as text; empty if it was gone before it was asked for. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/** Accepted connections, handed over as file descriptors. */
export function connection(): MessageType<Connection> {
  return { kind: 'connection' };
}
