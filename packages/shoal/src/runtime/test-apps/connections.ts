// Five doors, each with a reader that does something else with the connections it is given. All that take one echo.
import {
  type AnyMsuType,
  type App,
  type Connection,
  connect,
  connection,
  defineApp,
  defineMsu,
  type Edge,
  type MsuContext,
  receives,
} from '../../model/index.ts';
import { defineListener } from '../listener.ts';

function echo(context: MsuContext, taken: Connection): void {
  const socket = context.takeConnection(taken);
  if (socket === null) return context.count('gone');
  context.count('taken');
  socket.on('error', () => {});
  socket.pipe(socket);
}

/** What a reader does with a connection, by its name. */
const readers: Readonly<
  Record<string, (context: MsuContext, connection: Connection) => void | Promise<void>>
> = {
  'takes-throws': (context, connection) => {
    echo(context, connection);
    throw new Error('after it was taken');
  },
  'takes-rejects': async (context, connection) => {
    echo(context, connection);
    await null;
    throw new Error('after it was taken');
  },
  leaves: () => {},
  'leaves-throws': () => {
    throw new Error('before it was taken');
  },
  /** Every other one is taken; neither ever ends. */
  holds: (() => {
    let seen = 0;
    return (context: MsuContext, connection: Connection) => {
      if (seen++ % 2 === 0) echo(context, connection);
      context.count('held');
      return new Promise<void>(() => {});
    };
  })(),
};

const msus: AnyMsuType[] = [];
const edges: Edge[] = [];
for (const [name, read] of Object.entries(readers)) {
  const door = defineListener({ name: `to-${name}`, port: 0 });
  const reader = defineMsu({
    name,
    state: 'pinned',
    execution: 'async',
    concurrency: 64,
    in: { take: receives(connection()) },
    create: (context) => ({ take: (connection) => read(context, connection) }),
  });
  msus.push(door, reader);
  edges.push(connect(door.out.connection, reader.in.take));
}

const app: App = defineApp({ name: 'connections', msus, edges });
export default app;
