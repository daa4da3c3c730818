// A quiet HTTPS server that answers every request after a fixed time: both generators must then measure that time.
//   node delay-server.js <address> <port> <certificate file> <key file> <delay in ms>
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [address, port, certificateFile, keyFile, delayMs] = process.argv.slice(2);
const server = createServer(
  { cert: readFileSync(certificateFile!), key: readFileSync(keyFile!) },
  (_request, response) => {
    setTimeout(() => response.end('x'.repeat(1_000)), Number(delayMs));
  },
);
server.listen(Number(port), address, () => process.stdout.write('listening\n'));
