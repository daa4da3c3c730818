/** Entry of the process that serves, started by the supervisor. */
import { exitStatus } from './report-error.ts';
import { type RunRequest, startFailedStatus, wrongInputStatus } from './run-request.ts';
import { serve } from './serve.ts';

const request = JSON.parse(process.argv[2] ?? '') as RunRequest;
const result = await serve(request);
if (result.hasServed) process.exit(result.status);
process.exit(result.status === exitStatus.refused ? wrongInputStatus : startFailedStatus);
