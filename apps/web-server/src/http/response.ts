/** Responses, written by hand: one buffer each, head and body together. */

/** What the service answers. */
export interface WebResponse {
  readonly status: number;
  /** Value of `content-type`. */
  readonly type: string;
  readonly body: Uint8Array | string;
  /** Seconds after which a refused client may try again. */
  readonly retryAfterSeconds?: number;
  /** Methods that the resource has, with 405. */
  readonly allow?: string;
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

/** `HTTP/1.1 100 Continue`, complete. */
export const continueBytes: Buffer = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');

/** A plain-text response: the reason, and a sentence. */
export function textResponse(status: number, sentence: string): WebResponse {
  return { status, type: 'text/plain; charset=utf-8', body: `${sentence}\n` };
}

/** 503: the server has too much to do; the client may come back. */
export function busyResponse(sentence: string, retryAfterSeconds: number): WebResponse {
  return { ...textResponse(503, sentence), retryAfterSeconds };
}

let dateSecond = 0;
let dateLine = '';

/** The date header, made once a second. */
function date(): string {
  const now = Date.now();
  if (now >= dateSecond + 1_000) {
    dateSecond = now - (now % 1_000);
    dateLine = `Date: ${new Date(dateSecond).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** Heads of 200 by content type: nearly all responses there are. */
const okHeads = new Map<string, string>();
/** The service has few content types. */
const okHeadsMax = 64;

/** Everything up to the content length. */
function headStart(response: WebResponse): string {
  const { status, type, retryAfterSeconds, allow } = response;
  const isPlain = status === 200 && retryAfterSeconds === undefined && allow === undefined;
  const known = isPlain ? okHeads.get(type) : undefined;
  if (known !== undefined) return known;
  let head = `HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\nContent-Type: ${type}\r\n`;
  if (retryAfterSeconds !== undefined) head += `Retry-After: ${retryAfterSeconds}\r\n`;
  if (allow !== undefined) head += `Allow: ${allow}\r\n`;
  head += 'Content-Length: ';
  if (isPlain && okHeads.size < okHeadsMax) okHeads.set(type, head);
  return head;
}

/** How a response goes out. */
export interface ResponseForm {
  /** False: `Connection: close` is added. */
  readonly isKeepAlive: boolean;
  /** True: answers HEAD, so the body is left out. */
  readonly isHead: boolean;
}

/** The bytes of a response. */
export function encodeResponse(response: WebResponse, form: ResponseForm): Buffer {
  const { body } = response;
  const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const head = `${headStart(response)}${bodyBytes}\r\n${date()}${form.isKeepAlive ? '\r\n' : 'Connection: close\r\n\r\n'}`;
  const headBytes = head.length;
  if (form.isHead) return Buffer.from(head, 'latin1');
  const bytes = Buffer.allocUnsafe(headBytes + bodyBytes);
  bytes.write(head, 0, 'latin1');
  if (typeof body === 'string') bytes.write(body, headBytes);
  else bytes.set(body, headBytes);
  return bytes;
}
