// Plain node:https as a program.
import { startHttps } from './https.ts';
import { runServer } from './running-server.ts';

await runServer(startHttps);
