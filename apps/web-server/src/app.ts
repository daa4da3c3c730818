/**
 * The web server as five MSUs:
 *
 *   io ──► read ──► http ──► write
 *             ▲      │ ▲
 *             └──────┘ └──► regex
 *
 * Run it with `shoal run`; settings come from environment variables (see `settings.ts`).
 */
import { type App, connect, defineApp, defineListener } from 'shoal';
import { defineHttp } from './msu/http.ts';
import { defineRead } from './msu/read.ts';
import { defineRegex } from './msu/regex.ts';
import { defineWrite } from './msu/write.ts';
import { readSettings } from './settings.ts';

const settings = readSettings(process.env);

const io = defineListener({ name: 'io', host: settings.host, port: settings.port });
const read = defineRead(settings);
const http = defineHttp(settings);
const regex = defineRegex(settings);
const write = defineWrite();

const app: App = defineApp({
  name: 'web-server',
  msus: [io, read, http, regex, write],
  edges: [
    connect(io.out.connection, read.in.connections),
    connect(read.out.http, http.in.clients),
    connect(http.out.search, regex.in.search),
    connect(http.out.responses, write.in.responses),
    connect(http.out.control, read.in.control),
  ],
});

export default app;
