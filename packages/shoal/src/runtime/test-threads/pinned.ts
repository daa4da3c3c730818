/** Pins and renices itself, and tells what the kernel says of it. */
import * as fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { currentThreadTid, pinThread, setThreadNice } from '../native/index.ts';

const { core, nice } = workerData as { core: number; nice: number };
const pinned = pinThread(core);
const niced = setThreadNice(nice);
const status = fs.readFileSync('/proc/thread-self/status', 'utf8');
const stat = fs.readFileSync('/proc/thread-self/stat', 'utf8');
parentPort?.postMessage({
  tid: currentThreadTid(),
  pinned,
  niced,
  allowed: status.match(/Cpus_allowed_list:\s+(\S+)/)?.[1],
  nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]),
  noSuchCore: pinThread(1_023),
  noSuchThread: setThreadNice(5, 99_999_999),
  noSuchNice: setThreadNice(20),
});
