export { answer as default } from '../payload.ts';
