/**
 * Reads one HTTP/1.1 response at a time out of bytes, keeping only what a load generator needs: the status,
 * whether the connection may be reused, and where the response ends. A step machine without I/O.
 */
export interface ResponseParser {
  /**
   * Feeds bytes.
   * @returns the finished response, or `undefined` while more bytes are needed.
   * @throws ResponseSyntaxError when the bytes are not HTTP/1.1, or go on after the response.
   */
  push(bytes: Buffer): ParsedResponse | undefined;
  /** Says that the peer has ended the connection: ends a response whose body has no stated length. */
  end(): ParsedResponse | undefined;
  /** True from the first byte of a response until it is finished. */
  readonly started: boolean;
}

export interface ParsedResponse {
  readonly status: number;
  readonly bodyBytes: number;
  /** The connection may carry another request. */
  readonly reusable: boolean;
}

/** What arrived is not an HTTP/1.1 response to the request that was sent. */
export class ResponseSyntaxError extends Error {
  readonly code = 'LAB_RESPONSE_SYNTAX';
}

/** Longest status line and headers accepted. */
const headMaxBytes = 65_536;
/** Longest chunk-size line accepted. */
const chunkLineMaxBytes = 1_024;

type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; remaining: number }
  | { readonly kind: 'chunked'; state: 'size' | 'data' | 'trailer'; remaining: number; line: string }
  | { readonly kind: 'untilClose' };

interface Head {
  readonly status: number;
  readonly reusable: boolean;
  readonly body: Body;
}

function parseHead(text: string): Head {
  const lines = text.split('\r\n');
  const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0] ?? '');
  if (statusLine === null) throw new ResponseSyntaxError('the status line is not that of HTTP/1.x');
  const status = Number(statusLine[2]);
  let reusable = statusLine[1] === '1';
  let length: number | undefined;
  let chunked = false;
  for (let i = 1; i < lines.length; i += 1) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon <= 0) throw new ResponseSyntaxError('a header line without a name');
    const name = line.slice(0, colon).toLowerCase();
    const value = line
      .slice(colon + 1)
      .trim()
      .toLowerCase();
    if (name === 'content-length') {
      if (!/^\d{1,15}$/.test(value)) throw new ResponseSyntaxError('content-length is not a number');
      length = Number(value);
    } else if (name === 'transfer-encoding') chunked = value.endsWith('chunked');
    else if (name === 'connection') {
      if (value === 'close') reusable = false;
      else if (value === 'keep-alive') reusable = true;
    }
  }
  if (status === 204 || status === 304 || status < 200) return { status, reusable, body: { kind: 'none' } };
  if (chunked) return { status, reusable, body: { kind: 'chunked', state: 'size', remaining: 0, line: '' } };
  if (length !== undefined) return { status, reusable, body: { kind: 'length', remaining: length } };
  return { status, reusable: false, body: { kind: 'untilClose' } };
}

class Http1ResponseParser implements ResponseParser {
  #headBytes: Buffer | undefined;
  #head: Head | undefined;
  #bodyBytes = 0;

  get started(): boolean {
    return this.#headBytes !== undefined || this.#head !== undefined;
  }

  push(bytes: Buffer): ParsedResponse | undefined {
    let rest = bytes;
    while (this.#head === undefined) {
      const all = this.#headBytes === undefined ? rest : Buffer.concat([this.#headBytes, rest]);
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) {
        if (all.length > headMaxBytes) throw new ResponseSyntaxError('the headers are too long');
        if (all.length > 0) this.#headBytes = all;
        return undefined;
      }
      this.#headBytes = undefined;
      rest = all.subarray(end + 4);
      const head = parseHead(all.toString('latin1', 0, end));
      // 1xx answers (100 Continue, 103 Early Hints) precede the real one.
      if (head.status >= 200) this.#head = head;
    }
    const used = this.#pushBody(this.#head.body, rest);
    if (used === undefined) return undefined;
    if (used < rest.length) throw new ResponseSyntaxError('bytes after the end of the response');
    return this.#finish();
  }

  end(): ParsedResponse | undefined {
    return this.#head?.body.kind === 'untilClose' ? this.#finish() : undefined;
  }

  #finish(): ParsedResponse {
    const { status, reusable } = this.#head!;
    const response = { status, reusable, bodyBytes: this.#bodyBytes };
    this.#head = undefined;
    this.#bodyBytes = 0;
    return response;
  }

  /** Returns how many bytes belonged to the body when it is complete, else `undefined`. */
  #pushBody(body: Body, bytes: Buffer): number | undefined {
    switch (body.kind) {
      case 'none':
        return 0;
      case 'untilClose':
        this.#bodyBytes += bytes.length;
        return undefined;
      case 'length': {
        const used = Math.min(body.remaining, bytes.length);
        body.remaining -= used;
        this.#bodyBytes += used;
        return body.remaining === 0 ? used : undefined;
      }
      case 'chunked':
        return this.#pushChunks(body, bytes);
    }
  }

  #pushChunks(body: Extract<Body, { kind: 'chunked' }>, bytes: Buffer): number | undefined {
    let at = 0;
    while (at < bytes.length) {
      if (body.state === 'data') {
        const used = Math.min(body.remaining, bytes.length - at);
        body.remaining -= used;
        at += used;
        // The last two of a chunk's bytes are its CRLF, which is no body.
        if (body.remaining === 0) body.state = 'size';
        continue;
      }
      const newline = bytes.indexOf(10, at);
      const end = newline < 0 ? bytes.length : newline + 1;
      body.line += bytes.toString('latin1', at, end);
      at = end;
      if (body.line.length > chunkLineMaxBytes) throw new ResponseSyntaxError('a chunk line is too long');
      if (newline < 0) return undefined;
      const line = body.line.trimEnd();
      body.line = '';
      if (body.state === 'trailer') {
        if (line === '') return at;
        continue;
      }
      const size = /^([0-9a-fA-F]{1,12})(?:\s*;|$)/.exec(line);
      if (size === null) throw new ResponseSyntaxError('a chunk size is not a number');
      const chunkBytes = Number.parseInt(size[1]!, 16);
      if (chunkBytes === 0) body.state = 'trailer';
      else {
        this.#bodyBytes += chunkBytes;
        body.remaining = chunkBytes + 2;
        body.state = 'data';
      }
    }
    return undefined;
  }
}

export function createResponseParser(): ResponseParser {
  return new Http1ResponseParser();
}
