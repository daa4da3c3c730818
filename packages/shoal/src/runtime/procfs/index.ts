export { type MachineReader, openMachineReader } from './machine.ts';
export { createProcessReader, type ProcessFigures, type ProcessReader } from './process.ts';
export { openThreadReader, type ThreadFigures, type ThreadReader } from './thread.ts';
