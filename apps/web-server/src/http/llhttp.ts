/**
 * llhttp, the HTTP parser of Node.js itself, as the WebAssembly module that undici ships and keeps patched.
 *
 * Why this one: it is strict (request smuggling is its field), and inside a `node:tls` server it costs less than
 * http-parser-js, whose price grows with every header. Spans are offered as places in the WebAssembly memory,
 * so that a header nobody asks for is never made into a string.
 *
 * One module instance a thread, shared by all parsers of the thread; calls into it do not nest.
 */
import { createRequire } from 'node:module';

/** What a parser is told. Spans are offsets into {@link Llhttp.memory}; a non-zero answer stops the parser. */
export interface ParserCallbacks {
  onMessageBegin(): number;
  onUrl(at: number, length: number): number;
  onHeaderField(at: number, length: number): number;
  onHeaderValue(at: number, length: number): number;
  onHeadersComplete(isUpgrade: boolean, isKeepAlive: boolean): number;
  onBody(at: number, length: number): number;
  onMessageComplete(): number;
}

/** Answers and results of llhttp that we use by number. */
export const llhttpCode = {
  ok: 0,
  invalidMethod: 6,
  invalidVersion: 9,
  paused: 21,
  pausedUpgrade: 22,
  pausedHttp2: 23,
  user: 24,
} as const;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize?(): void;
  malloc(bytes: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, at: number, length: number): number;
  llhttp_resume(parser: number): void;
  llhttp_resume_after_upgrade(parser: number): void;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_http_minor(parser: number): number;
}

/** What we use of WebAssembly; the types of Node do not declare it. */
interface WebAssemblyApi {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

const typeRequest = 1;
/** Bytes copied into the WebAssembly memory at a time. */
const windowBytes = 65_536;

export interface Llhttp {
  /** The WebAssembly memory, as of now: ask again after every call. */
  memory(): Buffer;
  /** Parsers allocated and not freed. */
  parsers(): number;
  create(): number;
  free(parser: number): void;
  /**
   * Parses bytes. Returns how many were consumed; `code` then says why it stopped.
   */
  execute(parser: number, bytes: Uint8Array, callbacks: ParserCallbacks): number;
  /** Result of the last `execute`: one of {@link llhttpCode}, or another llhttp error number. */
  code(): number;
  resume(parser: number): void;
  resumeAfterUpgrade(parser: number): void;
  reason(parser: number): string;
  method(parser: number): string;
  isHttp11(parser: number): boolean;
}

const noCallbacks: ParserCallbacks = {
  onMessageBegin: () => 0,
  onUrl: () => 0,
  onHeaderField: () => 0,
  onHeaderValue: () => 0,
  onHeadersComplete: () => 0,
  onBody: () => 0,
  onMessageComplete: () => 0,
};

/** Loads llhttp. Called once a thread, by {@link llhttp}. */
function load(): Llhttp {
  const require = createRequire(import.meta.url);
  const code = require('undici/lib/llhttp/llhttp_simd-wasm.js') as Uint8Array;
  const { METHODS } = require('undici/lib/llhttp/constants.js') as { METHODS: Record<string, number> };
  const methods: string[] = [];
  for (const [name, number] of Object.entries(METHODS)) methods[number] = name;

  let current = noCallbacks;
  const instance = new Instance(new Module(code), {
    env: {
      wasm_on_message_begin: () => current.onMessageBegin(),
      wasm_on_url: (_: number, at: number, length: number) => current.onUrl(at, length),
      wasm_on_status: () => 0,
      wasm_on_header_field: (_: number, at: number, length: number) => current.onHeaderField(at, length),
      wasm_on_header_value: (_: number, at: number, length: number) => current.onHeaderValue(at, length),
      wasm_on_headers_complete: (_: number, _status: number, isUpgrade: number, isKeepAlive: number) =>
        current.onHeadersComplete(isUpgrade !== 0, isKeepAlive !== 0),
      wasm_on_body: (_: number, at: number, length: number) => current.onBody(at, length),
      wasm_on_message_complete: () => current.onMessageComplete(),
    },
  });
  const wasm = instance.exports as Exports;
  wasm._initialize?.();
  const window = wasm.malloc(windowBytes);
  let memory = Buffer.from(wasm.memory.buffer);
  let parsers = 0;
  let lastCode: number = llhttpCode.ok;

  // The memory is replaced when it grows; the old view is empty then.
  const view = (): Buffer => (memory.length === 0 ? (memory = Buffer.from(wasm.memory.buffer)) : memory);

  const executeWindow = (parser: number, bytes: Uint8Array): number => {
    view().set(bytes, window);
    lastCode = wasm.llhttp_execute(parser, window, bytes.length);
    return lastCode === llhttpCode.ok ? bytes.length : wasm.llhttp_get_error_pos(parser) - window;
  };

  return {
    memory: view,
    parsers: () => parsers,
    create: () => {
      parsers += 1;
      return wasm.llhttp_alloc(typeRequest);
    },
    free: (parser) => {
      parsers -= 1;
      wasm.llhttp_free(parser);
    },
    execute: (parser, bytes, callbacks) => {
      current = callbacks;
      try {
        if (bytes.length <= windowBytes) return executeWindow(parser, bytes);
        let consumed = 0;
        do {
          consumed += executeWindow(parser, bytes.subarray(consumed, consumed + windowBytes));
        } while (lastCode === llhttpCode.ok && consumed < bytes.length);
        return consumed;
      } finally {
        current = noCallbacks;
      }
    },
    code: () => lastCode,
    resume: (parser) => wasm.llhttp_resume(parser),
    resumeAfterUpgrade: (parser) => wasm.llhttp_resume_after_upgrade(parser),
    reason: (parser) => {
      const at = wasm.llhttp_get_error_reason(parser);
      return at === 0 ? '' : view().toString('latin1', at, view().indexOf(0, at));
    },
    method: (parser) => methods[wasm.llhttp_get_method(parser)] ?? '',
    isHttp11: (parser) =>
      wasm.llhttp_get_http_major(parser) === 1 && wasm.llhttp_get_http_minor(parser) === 1,
  };
}

let loaded: Llhttp | undefined;

/** The thread's llhttp. */
export function llhttp(): Llhttp {
  loaded ??= load();
  return loaded;
}
