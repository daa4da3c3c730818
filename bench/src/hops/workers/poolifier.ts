import { ThreadWorker } from 'poolifier';
import { answer, type Payload } from '../payload.ts';

export default new ThreadWorker<Payload, Payload>((payload) => answer(payload as Payload));
