/** For tests: a terminal, as much of one as `shoal top` needs, and a command that runs in a real pseudo-terminal. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commandLine, waitUntil } from './test-command.ts';

/** What a terminal shows after all that was written to it. Strict: what it does not know is an error. */
export class Terminal {
  columns: number;
  rows: number;
  screen: string[][] = [[]];
  /** Modes that are set: `?1049` another screen, `?25` the cursor is seen, `?7` long lines wrap. */
  readonly modes: Set<string> = new Set(['?25', '?7']);
  /** Characters beyond the right edge, and lines beyond the lower one, since the last look. */
  cut = 0;
  scrolled = 0;
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  get lines(): string[] {
    return Array.from(this.screen, (line) =>
      Array.from(line ?? [], (c) => c ?? ' ')
        .join('')
        .trimEnd(),
    );
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal obeys.
    for (const [part] of text.matchAll(/\u001b\[(\??\d*)([A-Za-z])|[^\u001b]/gu)) {
      if (part.startsWith('\u001b')) this.#obey(part.slice(2, -1), part.at(-1) ?? '');
      else if (part === '\r') this.#column = 0;
      else if (part === '\n') this.#newLine();
      else this.#print(part);
    }
  }

  #obey(argument: string, letter: string): void {
    const line = (this.screen[this.#row] ??= []);
    // After a line of full width the cursor still stands on its last character.
    const column = Math.min(this.#column, this.columns - 1);
    if (letter === 'H') [this.#row, this.#column] = [0, 0];
    else if (letter === 'K') line.length = Math.min(line.length, column);
    else if (letter === 'J') {
      line.length = Math.min(line.length, column);
      this.screen.length = this.#row + 1;
    } else if (letter === 'h') this.modes.add(argument);
    else if (letter === 'l') this.modes.delete(argument);
    else throw new Error(`ESC [ ${argument} ${letter}`);
    if (argument === '?1049') this.screen = [[]];
  }

  #newLine(): void {
    this.#row++;
    if (this.#row < this.rows) return;
    this.scrolled++;
    this.screen.shift();
    this.#row = this.rows - 1;
  }

  #print(character: string): void {
    if (this.#column >= this.columns) {
      this.cut++;
      return;
    }
    const line = (this.screen[this.#row] ??= []);
    line[this.#column++] = character;
  }
}

/** A command that runs in a pseudo-terminal, made by `script`, in front of a shell. */
export interface InTerminal {
  readonly terminal: Terminal;
  /** All that was written so far. */
  output(): string;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  signal(signal: NodeJS.Signals): void;
  /** Ends when the shell has: it says with which status the command ended, and how the terminal is set then. */
  readonly ended: Promise<{ readonly status: number; readonly settings: string }>;
  kill(): void;
}

const shell = `
stty cols "$COLUMNS_AT_FIRST" rows "$ROWS_AT_FIRST"
tty > "$NOTES/tty"
sh -c 'echo $$ > "$NOTES/pid"; exec "$@"' sh "$@"
echo $? > "$NOTES/status"
stty -a > "$NOTES/settings"
`;

/** Starts `shoal` with these arguments in a terminal of the size. */
export async function startInTerminal(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  [columns, rows]: readonly [number, number],
): Promise<InTerminal> {
  const notes = mkdtempSync(path.join(os.tmpdir(), 'shoal-terminal-'));
  const note = (name: string): string => readFileSync(path.join(notes, name), 'utf8').trim();
  writeFileSync(path.join(notes, 'shell'), shell);
  const quoted = [path.join(notes, 'shell'), ...commandLine(args)].map((word) => `'${word}'`).join(' ');
  const size = { COLUMNS_AT_FIRST: String(columns), ROWS_AT_FIRST: String(rows) };
  const child: ChildProcess = spawn('script', ['-q', '-e', '-c', `sh ${quoted}`, '/dev/null'], {
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env, ...size, NOTES: notes },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const terminal = new Terminal(columns, rows);
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    terminal.write(text);
  });
  const ended = new Promise<{ status: number; settings: string }>((resolve) => {
    child.once('close', () => {
      resolve({ status: Number(note('status')), settings: note('settings') });
      rmSync(notes, { recursive: true });
    });
  });
  await waitUntil('the terminal shows something', async () => output !== '');
  return {
    terminal,
    output: () => output,
    type: (keys) => child.stdin?.write(keys),
    resize(newColumns, newRows) {
      Object.assign(terminal, { columns: newColumns, rows: newRows });
      spawnSync('stty', ['-F', note('tty'), 'cols', String(newColumns), 'rows', String(newRows)]);
    },
    signal: (signal) => process.kill(Number(note('pid')), signal),
    ended,
    kill: () => child.kill('SIGKILL'),
  };
}
