/** The object tier: where the service's objects are. */
import { createRequire } from 'node:module';

/** Finds objects. Answers at once where it can: a promise costs more than a look-up in memory. */
export interface ObjectStore {
  get(id: string): Uint8Array | null | Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** Objects that the embedded store makes: `0` to `999`. */
const embeddedObjects = 1_000;
/** Bytes of each. */
const embeddedObjectBytes = 1_024;

/** The content of an embedded object: its own, the same on every machine. */
export function embeddedObject(id: number): Buffer {
  const line = `object ${id} of the embedded store\n`;
  return Buffer.from(line.repeat(Math.ceil(embeddedObjectBytes / line.length)).slice(0, embeddedObjectBytes));
}

/** A store in memory: the same objects in every thread, never written. */
export function createMemoryStore(): ObjectStore {
  const objects = new Map<string, Buffer>();
  for (let id = 0; id < embeddedObjects; id++) objects.set(String(id), embeddedObject(id));
  return { get: (id) => objects.get(id) ?? null, close: async () => undefined };
}

/** Keys of objects in Redis. */
const redisKeyPrefix = 'object:';
/** A look-up that takes longer fails: the client is told 503. */
const redisTimeoutMs = 1_000;
/** Look-ups waiting for the connection; further ones fail at once. */
const redisQueueMax = 1_024;

function within<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the object tier took too long')), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Objects in Redis: `GET object:<id>`. Connects when first needed and again by itself; while it is away, look-ups
 * reject.
 */
export function createRedisStore(url: string, onTrouble: (text: string) => void): ObjectStore {
  // Loaded only where it is used: it was half of what a thread takes to start.
  const { createClient } = createRequire(import.meta.url)('redis') as typeof import('redis');
  const client = createClient({
    url,
    commandsQueueMaxLength: redisQueueMax,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: redisTimeoutMs,
      reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 2_000),
    },
  });
  let lastTrouble = '';
  client.on('error', (error: Error) => {
    // One line for a cause, however often it is tried again.
    if (error.message !== lastTrouble) onTrouble(`object tier: ${error.message}`);
    lastTrouble = error.message;
  });
  client.on('ready', () => {
    lastTrouble = '';
  });
  const connected = client.connect().catch(() => undefined);
  return {
    get: async (id) => {
      const text = await within(client.get(redisKeyPrefix + id), redisTimeoutMs);
      return text === null ? null : Buffer.from(String(text));
    },
    close: async () => {
      client.destroy();
      await connected;
    },
  };
}
