/** Entry of the thread that loads an app once to see its graph, so that the agent's thread runs no user code. */
import { parentPort, workerData } from 'node:worker_threads';
import { type AppGraph, describeApp } from '../model/index.ts';
import { loadApp } from './load-app.ts';

/** What it posts. */
export type Description =
  | { readonly isOk: true; readonly graph: AppGraph }
  | { readonly isOk: false; readonly message: string };

const { appUrl } = workerData as { appUrl: string };
let description: Description;
try {
  description = { isOk: true, graph: describeApp(await loadApp(appUrl)) };
} catch (error) {
  description = { isOk: false, message: error instanceof Error ? error.message : String(error) };
}
parentPort?.postMessage(description);
