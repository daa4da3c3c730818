import { createClient } from 'redis';

/** How many objects the service holds. */
export const objectCount = 1_000;
/** Size of an object's filling, in characters. */
const objectCharacters = 1_000;

export const objectKey = (id: number): string => `object:${id}`;

/** What is stored under an id: the same for everybody, so that an answer can be checked. */
export function objectText(id: number): string {
  return JSON.stringify({ id, name: `object ${id}`, text: String(id % 10).repeat(objectCharacters) });
}

/** Objects in Redis, spread over servers by id. */
export interface ObjectStore {
  get(id: number): Promise<string | null>;
  close(): Promise<void>;
}

/** Connects to all servers. Lost connections are made anew by the client. */
export async function connectObjectStore(servers: readonly string[]): Promise<ObjectStore> {
  const clients = await Promise.all(
    servers.map(async (server) => {
      const client = createClient({ url: `redis://${server}` });
      // Reconnecting is the client's affair; a request that needs the server meanwhile waits or fails.
      client.on('error', () => undefined);
      await client.connect();
      return client;
    }),
  );
  return {
    get: (id) => clients[id % clients.length]!.get(objectKey(id)),
    close: async () => {
      for (const client of clients) client.destroy();
    },
  };
}

/** Other data is stored in pieces of this size. */
const pieceBytes = 1_048_576;

/** Puts all objects into the server behind a Unix socket, and `otherMiB` of other data. */
export async function fillObjectStore(socketPath: string, otherMiB = 0): Promise<void> {
  const client = createClient({ socket: { path: socketPath, tls: false } });
  await client.connect();
  const entries: Record<string, string> = {};
  for (let id = 0; id < objectCount; id += 1) entries[objectKey(id)] = objectText(id);
  await client.mSet(entries);
  const piece = Buffer.alloc(pieceBytes, 'x');
  for (let number = 0; number < otherMiB; number += 1) await client.set(`other:${number}`, piece);
  client.destroy();
}
