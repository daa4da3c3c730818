// Starts an attack, prints its process id and waits: for the test that kills whoever started an attack.
import type { AttackOptions } from './attack.ts';
import { startAttack } from './start.ts';

const attack = await startAttack(JSON.parse(process.argv[2] ?? '{}') as AttackOptions);
process.stdout.write(`${attack.pid}\n`);
await attack.done;
