export * from './command.ts';
export * from './sample.ts';
