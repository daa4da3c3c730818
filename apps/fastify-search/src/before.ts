import Fastify, { type FastifyInstance } from 'fastify';
import { search } from './search.ts';

/** A small web service, as many are: one of its routes calls a function that takes exponential time for some input. */
export async function createService(): Promise<FastifyInstance> {
  const service = Fastify();
  service.get('/health', async () => ({ status: 'ok' }));
  service.get<{ Querystring: { q: string } }>('/search', async (request) => {
    return { words: search(request.query.q) };
  });
  return service;
}
