import { testContract } from './test/contract.ts';
import { monolith } from './test/servers.ts';

testContract(monolith);
