/**
 * **write**: sends responses through the TLS session of their connection, and has the reading stop where a client
 * does not take what it asked for. Pinned to the thread of the read instance that holds the connection.
 */
import { defineMsu, type MsuType, type Receives, receives } from 'shoal';
import { type ResponseMessage, responseMessage } from './messages.ts';
import { threadConnections, threadWriters } from './thread-connections.ts';

export type WriteMsu = MsuType<{ readonly responses: Receives<ResponseMessage> }>;

export function defineWrite(): WriteMsu {
  return defineMsu({
    name: 'write',
    state: 'pinned',
    execution: 'async',
    colocation: 'connection',
    dependencies: [{ msu: 'read', locality: 'local' }],
    cost: { serviceTimeMs: 0.02, memoryMiB: 16 },
    in: { responses: receives(responseMessage) },
    create(context) {
      threadWriters.push(context.instanceId);
      return {
        // A connection that is gone has nobody to write to.
        responses: ({ bytes, isLast }, message) =>
          threadConnections.get(message.flowKey)?.transmit(bytes, isLast),
        onClose: () => {
          threadWriters.splice(threadWriters.indexOf(context.instanceId), 1);
        },
      };
    },
  }) as WriteMsu;
}
