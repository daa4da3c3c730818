import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  closeDescriptor,
  currentThreadTid,
  descriptorInode,
  duplicateDescriptor,
  errnoName,
  pinThread,
  setThreadSlice,
} from './index.ts';

test('a duplicate refers to the same file, is closed on exec, and is free again after it was closed', () => {
  const fd = fs.openSync('/dev/null', 'r');
  const copy = duplicateDescriptor(fd);
  assert.ok(copy > fd);
  assert.equal(descriptorInode(copy), descriptorInode(fd));
  // Octal flag 02000000 is O_CLOEXEC.
  assert.match(fs.readFileSync(`/proc/self/fdinfo/${copy}`, 'utf8'), /flags:\s+02\d{6}\n/);
  assert.equal(closeDescriptor(copy), 0);
  assert.equal(descriptorInode(copy), 0);
  assert.equal(duplicateDescriptor(fd), copy);
  closeDescriptor(copy);
  fs.closeSync(fd);
});

test('a descriptor that is not open is an answer, not a crash', () => {
  assert.equal(errnoName(duplicateDescriptor(1_000_000)), 'EBADF');
  assert.equal(errnoName(closeDescriptor(1_000_000)), 'EBADF');
  assert.equal(errnoName(duplicateDescriptor(-1)), 'EBADF');
  assert.equal(descriptorInode(1_000_000), 0);
});

test('a time slice is set and given back, and niceness stays; a wrong wish is refused with the reason', () => {
  /** Where the kernel shows it. */
  const slice = (): string => {
    const shown = fs.existsSync('/proc/self/sched') ? fs.readFileSync('/proc/self/sched', 'utf8') : '';
    return /^se\.slice\s+:\s+(\d+)/m.exec(shown)?.[1] ?? '';
  };
  const [major = 0, minor = 0] = os.release().split('.').map(Number);
  const knowsSlices = major > 6 || (major === 6 && minor >= 12);
  const nice = os.getPriority(process.pid);
  const usual = slice();
  assert.deepEqual(setThreadSlice(0.3, process.pid), { isOk: true });
  assert.equal(slice(), usual === '' || !knowsSlices ? usual : '300000');
  assert.equal(os.getPriority(process.pid), nice);
  assert.deepEqual(setThreadSlice(0, process.pid), { isOk: true });
  const late = setThreadSlice(0.3, 99_999_999);
  assert.equal(late.isOk ? '' : late.code, 'ESRCH');
  const long = setThreadSlice(101, process.pid);
  assert.equal(long.isOk ? '' : long.code, 'EINVAL');
});

test('pinning and niceness hold for the one thread that asked, and wrong wishes are refused with the reason', async () => {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const url = new URL(`../test-threads/pinned.${extension}`, import.meta.url);
  const allowedBefore = fs.readFileSync('/proc/self/status', 'utf8').match(/Cpus_allowed_list:\s+(\S+)/)?.[1];
  const core = Number(/\d+/.exec(allowedBefore ?? '0')?.[0]);
  const thread = new Worker(url, { workerData: { core, nice: 7 } });
  const [seen] = await once(thread, 'message');
  await thread.terminate();
  assert.notEqual(seen.tid, currentThreadTid());
  assert.deepEqual(seen.pinned, { isOk: true });
  assert.deepEqual(seen.niced, { isOk: true });
  assert.equal(seen.allowed, String(core));
  assert.equal(seen.nice, 7);
  assert.equal(seen.noSuchCore.code, 'EINVAL');
  assert.match(seen.noSuchCore.detail, /cannot pin a thread to core 1023: no such core/);
  assert.equal(seen.noSuchThread.code, 'ESRCH');
  assert.equal(seen.noSuchNice.code, 'EINVAL');
  // This thread is as it was.
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  assert.equal(status.match(/Cpus_allowed_list:\s+(\S+)/)?.[1], allowedBefore);
  assert.equal(currentThreadTid(), process.pid);
  assert.equal(pinThread(0.5).isOk, false);
});
