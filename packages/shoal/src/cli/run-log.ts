/** The log of `shoal run`: lines for people, or JSON lines. */
import { pino } from 'pino';
import { plainText } from './top/figures.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type RunLog = (level: LogLevel, text: string, fields: Readonly<Record<string, unknown>>) => void;

/** People read `12:34:56 text`, on standard output; with `isJson`, one JSON object a line. `debug` is left out. */
export function createRunLog(isJson: boolean): RunLog {
  if (isJson) {
    const log = pino(
      { base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ fd: 1, sync: true }),
    );
    return (level, text, fields) => log[level](fields, text);
  }
  return (level, text, fields) => {
    if (level === 'debug') return;
    const time = new Date().toTimeString().slice(0, 8);
    const mark = level === 'info' ? '' : `${level.toUpperCase()} `;
    const { msu, instanceId } = fields;
    const from =
      typeof msu !== 'string' || msu === ''
        ? ''
        : `${msu}${instanceId === undefined ? '' : `#${instanceId}`}: `;
    process.stdout.write(`${time} ${mark}${plainText(`${from}${text}`)}\n`);
  };
}
