// A quiet HTTP server that answers every request after a fixed time: both generators must then measure that time.
//   node delay-server.js <address> <port> <delay in ms>
import { createServer } from 'node:http';

const [address, port, delayMs] = process.argv.slice(2);
const server = createServer((_request, response) => {
  setTimeout(() => response.end('x'.repeat(1_000)), Number(delayMs));
});
server.listen(Number(port), address, () => process.stdout.write('listening\n'));
