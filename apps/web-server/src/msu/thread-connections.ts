/**
 * The connections of this thread: put in by the read instances, used by the write instances beside them. A socket
 * cannot leave its thread, so this is what "read and write of a connection stay together" means.
 */
import type { InstanceId, Key } from 'shoal';
import type { SecureConnection } from '../http/secure-connection.ts';

export const threadConnections: Map<Key, SecureConnection> = new Map();

/** The write instances of this thread; responses go to the first. */
export const threadWriters: InstanceId[] = [];
