import { testContract } from './test/contract.ts';
import { monolith, shoalApp } from './test/servers.ts';

testContract(monolith);
testContract(shoalApp);
