export * from './lane.ts';
