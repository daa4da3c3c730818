// The monolith as a program.
import { startMonolith } from './monolith.ts';
import { runServer } from './running-server.ts';

await runServer(startMonolith);
