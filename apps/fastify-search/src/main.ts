// `node dist/main.js before|after [PORT]`: runs one of the two services, for trying the attack by hand.
const which = process.argv[2] === 'before' ? await import('./before.ts') : await import('./after.ts');
const service = await which.createService();
const address = await service.listen({ port: Number(process.argv[3] ?? 0), host: '127.0.0.1' });
process.stdout.write(`${address}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void service.close());
