import { createServer } from 'node:http';
import { connect, defineApp, defineMsu, record, requests, serves } from 'shoal';

const query = record({ text: 'string' });
const verdict = record({ isMatch: 'boolean' });

// Takes HTTP requests, and asks a matcher about each of them.
const door = defineMsu({
  name: 'door',
  state: 'pinned',
  execution: 'async',
  out: { match: requests(query, verdict) },
  async create(context) {
    const server = createServer(async (request, response) => {
      const text = new URL(request.url, 'http://door').searchParams.get('q') ?? '';
      const reply = await context.out.match.request({ text });
      if (reply.outcome === 'done') {
        response.end(reply.value.isMatch ? 'yes\n' : 'no\n');
      } else {
        response.writeHead(503, { 'retry-after': '1' });
        response.end(`${reply.outcome}: ${reply.reason ?? 'no answer in time'}\n`);
      }
    });
    await new Promise((resolve) => server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', resolve));
    return { onDrain: () => new Promise((resolve) => server.close(resolve)) };
  },
});

// Does the work. This pattern is dangerous: on some texts it takes hours.
const matcher = defineMsu({
  name: 'matcher',
  deadlineMs: 1_000,
  runLimitMs: 200,
  in: { match: serves(query, verdict) },
  create: () => ({
    match: ({ text }) => ({ isMatch: /^(a+)+$/.test(text) }),
  }),
});

export default defineApp({
  name: 'first-app',
  msus: [door, matcher],
  edges: [connect(door.out.match, matcher.in.match)],
});
