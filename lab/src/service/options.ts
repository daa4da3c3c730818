import { z } from 'zod';

/** Name of the environment variable that holds the service's options as JSON. */
export const serviceOptionsVariable = 'LAB_SERVICE';

/** How one server of the service runs. Plain JSON, handed over in the environment. */
export interface ServiceOptions {
  /** Address to listen on. */
  readonly host: string;
  readonly port: number;
  /** Certificate and key files; null: plain HTTP, where TLS ends in the load balancer. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | null;
  /** Redis servers as `host:port`; object n lives on server n modulo their number. */
  readonly redis: readonly string[];
  /** `unlimited` lifts Node's limit of three renegotiations in 600 s, to stand for servers without one. */
  readonly renegotiation: 'default' | 'unlimited';
  /** Server processes that share the port (`node:cluster`); 1: no cluster. */
  readonly processes: number;
  /** `hardened` switches on everything a careful team sets in a Node service. */
  readonly protection: 'none' | 'hardened';
  /** Folder for one small report file per server instance; null: no reports. */
  readonly reportFolder: string | null;
}

const schema: z.ZodType<ServiceOptions> = z.strictObject({
  host: z.string(),
  port: z.int().min(1).max(65_535),
  tls: z.strictObject({ certificateFile: z.string(), keyFile: z.string() }).nullable(),
  redis: z.array(z.string().regex(/^.+:\d+$/)).min(1),
  renegotiation: z.enum(['default', 'unlimited']),
  processes: z.int().min(1).max(64),
  protection: z.enum(['none', 'hardened']),
  reportFolder: z.string().nullable(),
});

/** Reads the options from the environment. @throws Error that lists everything wrong with them. */
export function readServiceOptions(environment: NodeJS.ProcessEnv): ServiceOptions {
  const text = environment[serviceOptionsVariable];
  if (text === undefined) throw new Error(`the service's options are missing: set ${serviceOptionsVariable}`);
  const parsed = schema.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`${serviceOptionsVariable}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
