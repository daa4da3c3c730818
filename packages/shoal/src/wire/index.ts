export * from './codec.ts';
export * from './command.ts';
export * from './envelope.ts';
export * from './histogram.ts';
export * from './sample.ts';
