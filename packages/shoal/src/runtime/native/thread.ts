import * as fs from 'node:fs';
import * as os from 'node:os';
import { libc, libcLoadError } from './libc.ts';
import { errnoName, type NativeResult, nativeFailure, nativeOk } from './result.ts';

/** `prctl` option: the signal that this process gets when the thread that started it ends. */
const prSetPdeathsig = 1;
const sigkill = 9;
/** Number of the system call `sched_setattr`, for which older C libraries have no function. */
const schedSetAttr: Partial<Record<NodeJS.Architecture, number>> = { x64: 314, arm64: 274, riscv64: 274 };
/** Its argument, `struct sched_attr` of sched_setattr(2) in its first version; the flag leaves the policy as it is. */
const schedAttrBytes = 48;
const schedFlagKeepPolicy = 8n;
/** Cores that an affinity mask of ours can name: glibc's own bound. */
const coresMax = 1_024;

/**
 * The kernel's id of the calling thread, as `/proc/<pid>/task` names it; 0 where there is no `/proc`.
 * Synchronous file calls run on the calling thread, so the link `/proc/thread-self` is its own.
 */
export function currentThreadTid(): number {
  try {
    return Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}

/**
 * Keeps the calling thread on one core (numbered from 0). Threads that it starts afterwards inherit this, libuv's
 * pool included if this thread is the first of the process to use it.
 */
export function pinThread(core: number): NativeResult {
  if (!Number.isInteger(core) || core < 0 || core >= coresMax) {
    return nativeFailure('EINVAL', `cannot pin a thread to core ${core}: cores are 0 to ${coresMax - 1}`);
  }
  const c = libc();
  if (c === null) return nativeFailure('ENOSYS', `cannot pin a thread to core ${core}: ${libcLoadError()}`);
  const mask = new Uint8Array(coresMax / 8);
  mask[core >> 3] = 1 << (core & 7);
  // Process id 0 stands for the calling thread.
  if (c.schedSetAffinity(0, mask.length, mask) === 0) return nativeOk;
  const code = errnoName(c.errno());
  const why = code === 'EINVAL' ? 'no such core, or not one this process may use' : code;
  return nativeFailure(code, `cannot pin a thread to core ${core}: ${why}`);
}

/**
 * Sets the niceness (−20 … 19; larger yields to others) of one thread of this process, by default the calling
 * one. Lowering it again needs rights (`EACCES`). Linux schedules threads, so other threads keep theirs.
 */
export function setThreadNice(nice: number, tid: number = currentThreadTid()): NativeResult {
  const what = `cannot set niceness ${nice} of thread ${tid}`;
  if (!Number.isInteger(nice) || nice < -20 || nice > 19) {
    return nativeFailure('EINVAL', `${what}: it is a whole number from -20 to 19`);
  }
  if (process.platform !== 'linux' || tid === 0) {
    return nativeFailure('ENOSYS', `${what}: only Linux has a niceness per thread`);
  }
  try {
    os.setPriority(tid, nice);
    return nativeOk;
  } catch (error) {
    const code = (error as { info?: { code?: string } }).info?.code ?? 'UNKNOWN';
    return nativeFailure(code, `${what}: ${code}`);
  }
}

/**
 * Sets how long a thread of this process may run in one go where others of its core wait too: 0.1 to 100 ms; 0: as
 * the kernel chooses. It does not change its share of the core; but one with a shorter slice than the one that runs
 * takes the core from it as soon as it wakes. Kernels before 6.12 take the wish and ignore it.
 */
export function setThreadSlice(sliceMs: number, tid: number): NativeResult {
  const what = `cannot set the time slice of thread ${tid} to ${sliceMs} ms`;
  if (!(sliceMs === 0 || (sliceMs >= 0.1 && sliceMs <= 100)))
    return nativeFailure('EINVAL', `${what}: it is 0, or 0.1 to 100`);
  const call = schedSetAttr[process.arch];
  // The kernel would take 0 for the calling thread.
  if (process.platform !== 'linux' || tid === 0)
    return nativeFailure('ENOSYS', `${what}: only Linux has a slice per thread`);
  if (call === undefined)
    return nativeFailure('ENOSYS', `${what}: its number is not known for ${process.arch}`);
  const c = libc();
  if (c === null) return nativeFailure('ENOSYS', `${what}: ${libcLoadError()}`);
  const attributes = new DataView(new ArrayBuffer(schedAttrBytes));
  const isLittleEndian = os.endianness() === 'LE';
  try {
    attributes.setUint32(0, schedAttrBytes, isLittleEndian);
    attributes.setBigUint64(8, schedFlagKeepPolicy, isLittleEndian);
    attributes.setInt32(16, os.getPriority(tid), isLittleEndian);
    attributes.setBigUint64(24, BigInt(Math.round(sliceMs * 1e6)), isLittleEndian);
  } catch (error) {
    const code = (error as { info?: { code?: string } }).info?.code ?? 'UNKNOWN';
    return nativeFailure(code, `${what}: ${code}`);
  }
  const bytes = new Uint8Array(attributes.buffer);
  if (c.syscall(call, 'int', tid, 'void *', bytes, 'unsigned int', 0) === 0) return nativeOk;
  const code = errnoName(c.errno());
  return nativeFailure(code, `${what}: ${code}`);
}

/**
 * Has the kernel kill this process (SIGKILL) as soon as the thread that started it ends, whatever this process is
 * doing then. A parent that ended before this call is not noticed: look at `process.ppid` afterwards.
 */
export function killWithParent(): NativeResult {
  const c = libc();
  if (c === null) return nativeFailure('ENOSYS', `cannot tie this process to its parent: ${libcLoadError()}`);
  if (c.prctl(prSetPdeathsig, 'unsigned long', sigkill) === 0) return nativeOk;
  const code = errnoName(c.errno());
  return nativeFailure(code, `cannot tie this process to its parent: ${code}`);
}
