import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { startAttack } from '../attacks/start.ts';
import { LabError } from '../lab-error.ts';
import { accountingBetween, type MachineAccounting } from './accounting.ts';
import { machineLauncher } from './attack-launcher.ts';
import { hostCgroups } from './host.ts';
import { namespacePrefix, stateFile, testbedGroup } from './layout.ts';
import { listNamespaces } from './network.ts';
import type { ProgramOptions, RunningProgram } from './program.ts';
import type { TestbedMachine } from './testbed.ts';
import { testWithTestbed } from './testing/on-host.ts';

/** A Node program given as text. */
function node(name: string, script: string): ProgramOptions {
  return { name, command: process.execPath, args: ['-e', script], stdout: 'pipe' };
}

/** Runs a program to its end and returns what it printed. */
async function output(machine: TestbedMachine, options: ProgramOptions): Promise<string> {
  const program = await machine.run(options);
  let text = '';
  program.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await Promise.all([program.exited, new Promise((resolve) => program.stdout?.once('close', resolve))]);
  return text.trim();
}

const connectScript = (host: string, port: number): string =>
  `require('net').connect(${port},'${host}',function(){console.log('connected');this.destroy()})` +
  `.on('error',e=>console.log(e.code)).setTimeout(3000,()=>{console.log('silence');process.exit()})`;

const fileServer: ProgramOptions = {
  ...node('server', "require('http').createServer((_,r)=>r.end(Buffer.alloc(1e6))).listen(8080)"),
  ready: { port: 8080 },
};

const fetchScript = (host: string): string =>
  `require('http').get('http://${host}:8080/',r=>{let n=0;r.on('data',d=>n+=d.length).on('end',()=>console.log(n))})`;

function of(accounting: readonly MachineAccounting[], machine: string): MachineAccounting {
  const found = accounting.find((one) => one.machine === machine);
  assert.ok(found !== undefined);
  return found;
}

testWithTestbed(
  'machines reach each other, and their bytes and CPU time are counted on both sides',
  async (testbed) => {
    const [web, client] = [testbed.machine('web1'), testbed.machine('client')];
    await web.run(fileServer);
    const before = await testbed.accounting();
    assert.equal(await output(client, node('fetch', fetchScript(web.address))), '1000000');
    const used = accountingBetween(before, await testbed.accounting());
    assert.ok(of(used, 'web1').sentBytes > 1_000_000 && of(used, 'web1').sentBytes < 1_300_000);
    assert.ok(of(used, 'client').receivedBytes > 1_000_000 && of(used, 'client').receivedBytes < 1_300_000);
    assert.ok(of(used, 'client').sentBytes < 100_000);
    assert.ok(of(used, 'client').cpuSeconds > 0);
  },
);

testWithTestbed(
  'no packet of a machine can leave the testbed, and none of the host can enter it',
  async (testbed) => {
    const web = testbed.machine('web1');
    await web.run(fileServer);
    const routes = await output(web, { name: 'routes', command: 'ip', args: ['route'], stdout: 'pipe' });
    assert.match(routes, /^10\.77\.0\.0\/24 dev eth0 [^\n]*$/);
    const hostAddresses = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => address);
    assert.ok(hostAddresses.every((address) => !address.startsWith('10.77.0.')));
    for (const address of [...hostAddresses, '192.0.2.1', '8.8.8.8'])
      assert.equal(await output(web, node('leave', connectScript(address, 80))), 'ENETUNREACH');
    // A server on the host's loopback is not in the machine's.
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as net.AddressInfo;
    assert.equal(await output(web, node('loopback', connectScript('127.0.0.1', port))), 'ECONNREFUSED');
    server.close();
    // Nor does anything that the host sends to the machine's address get there, whoever else may answer it.
    const before = of(await testbed.accounting(), 'web1').receivedBytes;
    await new Promise<void>((resolve) => {
      const socket = net.connect(8080, web.address, () => socket.end('GET / HTTP/1.0\r\n\r\n'));
      socket.on('error', () => {}).setTimeout(500, () => socket.destroy());
      socket.once('close', () => resolve()).resume();
    });
    assert.equal(of(await testbed.accounting(), 'web1').receivedBytes, before);
  },
);

testWithTestbed(
  'a program gets no more CPU than its machine has, however many threads it uses',
  async (testbed) => {
    const web = testbed.machine('web1');
    const burn = 'for(const end=Date.now()+1000;Date.now()<end;);';
    const threads = `const {Worker}=require('worker_threads');for(let i=0;i<3;i++)new Worker(${JSON.stringify(burn)},{eval:true})`;
    const program = await web.run(node('burn', threads));
    const { usage, durationMs } = await program.exited;
    const { throttledCount, periods } = await web.accounting();
    // One period's quota on each CPU may be borrowed ahead.
    assert.ok(usage.cpuSeconds <= web.cores * (durationMs / 1000) * 1.1 + 0.02, `${usage.cpuSeconds} CPU s`);
    assert.ok(usage.cpuSeconds > 0.1);
    assert.ok(throttledCount > 0 && throttledCount <= periods);
  },
);

testWithTestbed('the quota of a machine can be lifted and set again while it runs', async (testbed) => {
  const web = testbed.machine('web1');
  const burn = async (): Promise<number> => {
    const before = (await web.accounting()).throttledCount;
    await (await web.run(node('burn', 'for(const end=Date.now()+500;Date.now()<end;);'))).exited;
    return (await web.accounting()).throttledCount - before;
  };
  web.setCores(null);
  assert.equal(await burn(), 0);
  web.setCores(0.1);
  assert.ok((await burn()) > 0);
});

testWithTestbed(
  'a program that exceeds the memory of its machine is killed, and only it',
  async (testbed) => {
    const [web, client] = [testbed.machine('web1'), testbed.machine('client')];
    const other = await client.run(fileServer);
    const eat = 'const held=[];for(;;)held.push(Buffer.alloc(4<<20,1))';
    const exit = await (await web.run(node('eat', eat))).exited;
    assert.equal(exit.signal, 'SIGKILL');
    const used = await testbed.accounting();
    assert.equal(of(used, 'web1').oomKills, 1);
    assert.ok(of(used, 'web1').peakMemoryBytes <= 192 * 1024 * 1024);
    assert.ok(of(used, 'web1').peakMemoryBytes > 150 * 1024 * 1024);
    assert.equal(of(used, 'client').oomKills, 0);
    process.kill(other.pid, 0);
  },
);

testWithTestbed(
  'a program may have tighter limits than its machine, and not looser ones',
  async (testbed) => {
    const web = testbed.machine('web1');
    const files = {
      name: 'files',
      command: 'sh',
      args: ['-c', 'ulimit -n'],
      openFiles: 77,
      stdout: 'pipe',
    } as const;
    assert.equal(await output(web, files), '77');
    const burn = node('burn', 'for(const end=Date.now()+600;Date.now()<end;);');
    const { usage, durationMs } = await (await web.run({ ...burn, cores: 0.1 })).exited;
    assert.ok(usage.cpuSeconds <= 0.1 * (durationMs / 1000) * 1.1 + 0.02 && usage.throttledCount > 0);
    for (const limits of [{ cores: 0.5 }, { memoryMiB: 193 }])
      await assert.rejects(
        web.run({ ...burn, ...limits }),
        /is to have more than its machine: web1 has 0\.4 cores/,
      );
  },
);

testWithTestbed('output goes to the log, and a program is ready when it says so', async (testbed) => {
  const web = testbed.machine('web1');
  const program = await web.run({
    name: 'talker',
    command: 'sh',
    args: ['-c', 'echo "$GREETING"; echo oops >&2; sleep 0.2; echo listening; sleep 100'],
    env: { GREETING: 'hello' },
    ready: { line: /^listening$/ },
  });
  assert.equal(readFileSync(program.logFile, 'utf8'), 'hello\noops\nlistening\n');
  const { signal } = await program.stop();
  assert.equal(signal, 'SIGTERM');
});

testWithTestbed(
  'a program that dies or dawdles before it is ready is reported with the end of its log',
  async (testbed) => {
    const web = testbed.machine('web1');
    const dying = {
      name: 'dying',
      command: 'sh',
      args: ['-c', 'echo no such luck; exit 3'],
      ready: { port: 1 },
    };
    await assert.rejects(web.run(dying), (error: Error) => {
      assert.ok(error instanceof LabError);
      return /web1: the program "dying" ended with code 3\. [^\n]+\n {2}no such luck$/.test(error.message);
    });
    const slow = { name: 'slow', command: 'sleep', args: ['100'], ready: { port: 1 }, readyTimeoutMs: 200 };
    await assert.rejects(web.run(slow), /"slow" was not ready after 200 ms/);
    const unknown = { name: 'unknown', command: 'no-such-program', ready: { port: 1 } };
    await assert.rejects(web.run(unknown), /ended with code 127\. [^\n]+\n.*no-such-program: No such file/s);
  },
);

testWithTestbed('stopping a program that will not listen kills it and its children', async (testbed) => {
  const script =
    "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $!; while :; do sleep 1; done";
  const program = await testbed
    .machine('web1')
    .run({ name: 'deaf', command: 'sh', args: ['-c', script], stdout: 'pipe' });
  const child = await new Promise<number>((resolve) =>
    program.stdout?.once('data', (chunk: Buffer) => resolve(Number(chunk))),
  );
  const { signal } = await program.stop({ graceMs: 100 });
  assert.equal(signal, 'SIGKILL');
  assert.ok(!existsSync(`/proc/${child}`) || readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z'));
});

testWithTestbed('kernel settings of a machine are its own', async (testbed) => {
  const read = (machine: string): Promise<string> =>
    output(testbed.machine(machine), {
      name: 'sysctl',
      command: 'cat',
      args: ['/proc/sys/net/ipv4/tcp_syncookies'],
      stdout: 'pipe',
    });
  assert.equal(await read('web1'), '0');
  assert.equal(await read('client'), readFileSync('/proc/sys/net/ipv4/tcp_syncookies', 'utf8').trim());
});

testWithTestbed(
  'an attack is sent from one machine to another, from within the limits of the first',
  async (testbed) => {
    const [web, client] = [testbed.machine('web1'), testbed.machine('client')];
    await web.run(fileServer);
    const attack = await startAttack(
      {
        attack: 'redos',
        settings: { path: '/?{input}', length: 4 },
        host: web.address,
        port: 8080,
        tls: false,
        phases: [{ shape: 'steady', rate: 10, durationMs: 1000 }],
      },
      machineLauncher(client),
    );
    const stats = await attack.done;
    assert.equal(stats.completed, 10);
    assert.ok(of(await testbed.accounting(), 'web1').sentBytes > 10_000_000);
  },
);

testWithTestbed('closing stops what runs and leaves nothing behind but the logs', async (testbed) => {
  const program: RunningProgram = await testbed.machine('web1').run(fileServer);
  assert.throws(() => testbed.machine('web9'), /There is no machine "web9": there are web1, client\./);
  await Promise.all([testbed.close(), testbed.close()]);
  await program.exited;
  assert.deepEqual(listNamespaces(namespacePrefix(testbed.id)), []);
  assert.deepEqual(hostCgroups().children(testbedGroup(testbed.id)), []);
  assert.ok(!existsSync(stateFile(testbed.id)));
  assert.ok(existsSync(program.logFile));
});
