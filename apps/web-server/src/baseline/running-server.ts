/** What the programs without Shoal have in common: a server in this process, and how the process runs it. */
import { readSettings, type WebSettings, WebSettingsError } from '../settings.ts';

export interface RunningServer {
  readonly port: number;
  /** Reads the certificate's files again. */
  reloadCertificate(): void;
  /** Stops accepting, finishes the requests in progress, and closes. */
  close(): Promise<void>;
}

/** After SIGTERM, requests in progress get so long. */
const drainMaxMs = 10_000;

function isExpected(error: unknown): error is Error {
  return (
    error instanceof WebSettingsError || (error instanceof Error && ('code' in error || error.message !== ''))
  );
}

/**
 * The main program of a server: settings from the environment, one line when it listens, SIGHUP reads the
 * certificate anew, SIGTERM drains (a second one exits at once).
 */
export async function runServer(start: (settings: WebSettings) => Promise<RunningServer>): Promise<void> {
  let server: RunningServer;
  let settings: WebSettings;
  try {
    settings = readSettings(process.env);
    server = await start(settings);
  } catch (error) {
    if (!isExpected(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  process.stdout.write(`listening on https://${settings.host}:${server.port}\n`);
  process.on('SIGHUP', () => server.reloadCertificate());
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    setTimeout(() => process.exit(1), drainMaxMs).unref();
    void server.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
