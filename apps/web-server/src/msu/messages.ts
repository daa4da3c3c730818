/** What moves between the MSUs. Within a thread these objects are passed by reference; between threads as bytes. */
import { type InstanceId, instanceId, type Key, type MessageType, type RecordOf, record } from 'shoal';
import type { SearchResult } from '../service/search.ts';

/** What the read MSU tells the http MSU of a connection. */
export const clientEvent = { bytes: 0, end: 1, closed: 2, drain: 3 } as const;

const clientFields = {
  /** One of {@link clientEvent}. */
  event: 'number',
  /** Counts the events of a connection from 0: the http MSU sees whether it has seen them all. */
  sequence: 'number',
  /** The write instance on the connection's thread; 0: none, and the read instance writes itself. */
  writer: 'number',
  bytes: 'bytes?',
} as const;
export type ClientMessage = RecordOf<typeof clientFields>;
export const clientMessage: MessageType<ClientMessage> = record(clientFields);

const searchFields = { text: 'string' } as const;
export type SearchMessage = RecordOf<typeof searchFields>;
export const searchMessage: MessageType<SearchMessage> = record(searchFields);

const foundFields = {
  count: 'number',
  /** One after another, with a blank in between; no label has one. A list would be a `value`, which is encoded as MessagePack. */
  labels: 'string',
} as const;
export type FoundMessage = RecordOf<typeof foundFields>;
export const foundMessage: MessageType<FoundMessage> = record(foundFields);

export function found({ count, labels }: SearchResult): FoundMessage {
  return { count, labels: labels.join(' ') };
}

export function labelsOf({ labels }: FoundMessage): string[] {
  return labels === '' ? [] : labels.split(' ');
}

const responseFields = {
  bytes: 'bytes',
  /** After these bytes the connection ends. */
  isLast: 'boolean',
} as const;
export type ResponseMessage = RecordOf<typeof responseFields>;
export const responseMessage: MessageType<ResponseMessage> = record(responseFields);

/** What the http MSU asks of the read instance that holds the connection. */
export const controlAction = { hold: 0, release: 1, transmit: 2, transmitLast: 3, destroy: 4 } as const;

const controlFields = {
  /** One of {@link controlAction}. */
  action: 'number',
  bytes: 'bytes?',
} as const;
export type ControlMessage = RecordOf<typeof controlFields>;
export const controlMessage: MessageType<ControlMessage> = record(controlFields);

/**
 * Connections of one read instance before its keys begin anew. With the ids of the first 2,047 instances the keys stay
 * below 2^31: integers that V8 keeps in a word of their own, without an object.
 */
const keysPerReader = 2 ** 20;

/** A flow key of a connection: names the read instance that holds it. Whether it is free, that instance knows. */
export function connectionKey(reader: InstanceId, serial: number): Key {
  return reader * keysPerReader + (serial % keysPerReader);
}

/** The read instance that holds a connection. */
export function readerOf(key: Key): InstanceId {
  return instanceId(Math.floor(key / keysPerReader));
}
