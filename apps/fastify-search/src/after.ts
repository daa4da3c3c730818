import Fastify, { type FastifyInstance } from 'fastify';
import { isolate, ShoalError } from 'shoal';
import type { search as Search } from './search.ts';

/** The same service with the dangerous function isolated: it runs on threads of its own, and is stopped when it must. */
export async function createService(): Promise<FastifyInstance> {
  const service = Fastify();
  const url = new URL(import.meta.url.endsWith('.ts') ? './search.ts' : './search.js', import.meta.url);
  const search = await isolate<typeof Search>(url, { export: 'search', runLimitMs: 200, onLog: console.log });
  service.addHook('onClose', () => search.close());
  service.setErrorHandler((error, _request, reply) => {
    if (error instanceof ShoalError)
      return reply.code(503).header('retry-after', '1').send({ error: error.code });
    return reply.send(error);
  });
  service.get('/health', async () => ({ status: 'ok' }));
  service.get<{ Querystring: { q: string } }>('/search', async (request) => {
    return { words: await search(request.query.q) };
  });
  return service;
}
