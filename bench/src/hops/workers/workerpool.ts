import workerpool from 'workerpool';
import { answer } from '../payload.ts';

workerpool.worker({ answer });
