/** One AFTR's RESTCONF as a gateway uses it: advertise-routes over HTTPS, the server known by its certificate. */

import type { IncomingMessage } from 'node:http';
import type { AgentOptions } from 'node:https';
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import { connect } from 'node:tls';
import type { Target } from '../../state/model.generated.ts';
import { TLS_SUITES } from '../tls-suites.ts';

const ANSWER_MS = 10_000;
/** Longer for what takes longer: an AFTR under load judges and stores some ten thousand routes a second. */
const ANSWER_MS_PER_ROUTE = 0.5;
/** As long as the AFTR gives a handshake: under many at once it takes that. */
const CONNECT_MS = 10_000;
/** A connection without a message for so long is closed: an AFTR has room for some hundred, and more gateways than that. */
const IDLE_MS = 100;
/** Octets of an answer; refused routes are the longest part. */
const LONGEST_ANSWER = 64 * 1024 * 1024;
const PATH = '/operations/gi-4over6:advertise-routes';

type Json = Readonly<Record<string, unknown>>;

export interface TargetAnswer {
  readonly session: string;
  readonly sequence: string;
  readonly 'hold-time': number;
  readonly accepted?: readonly string[];
  readonly refused?: readonly { readonly 'ipv4-prefix': string; readonly reason: string }[];
}

/** The AFTR has answered that it does not take the message; `appTag` says why in a word. */
export class TargetRefusal extends Error {
  readonly appTag: string;

  constructor(message: string, appTag: string) {
    super(message);
    this.appTag = appTag;
  }
}

/** The AFTR is there, and ended the connection or was too slow: it has more to do than it can, and soon has room again. */
export class CrowdedError extends Error {}

/** Of this device, PEM. */
export interface OwnCertificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

export class AftrClient {
  readonly #target: Target;
  readonly #agent: Agent;
  #idle: NodeJS.Timeout | undefined;

  /** `localAddress` is where it connects from; the system chooses one without it. */
  constructor(target: Target, certificate: OwnCertificate, localAddress?: string) {
    this.#target = target;
    this.#agent = agentFor(target, certificate, localAddress);
  }

  /** One message of advertise-routes, which ends one about `routes` routes; what it answers. @throws TargetRefusal, or Error when there is no answer */
  async send(input: Json, routes = 0): Promise<TargetAnswer> {
    const timeout = Math.round(ANSWER_MS + ANSWER_MS_PER_ROUTE * routes);
    const { status, body } = await this.#post(JSON.stringify({ 'gi-4over6:input': input }), timeout);
    if (status !== 200) throw refusalIn(status, body);
    const answer = JSON.parse(body) as { readonly 'gi-4over6:output'?: TargetAnswer };
    const output = answer['gi-4over6:output'];
    if (!output) throw new Error('the AFTR answered without an output: it is none of this program');
    return output;
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#agent.destroy();
  }

  #closeWhenIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      for (const sockets of Object.values(this.#agent.freeSockets))
        for (const socket of sockets ?? []) socket.destroy();
    }, IDLE_MS);
    this.#idle.unref();
  }

  #post(body: string, timeout: number): Promise<{ status: number; body: string }> {
    const { url, clientName, password, clientCertificate } = this.#target;
    const options = {
      agent: this.#agent,
      method: 'POST',
      ...(clientCertificate === undefined && { auth: `${clientName}:${password}` }),
      timeout,
      headers: {
        'content-type': 'application/yang-data+json',
        accept: 'application/yang-data+json',
        'content-length': Buffer.byteLength(body),
      },
    };
    return new Promise((resolve, reject) => {
      const outgoing = request(url.replace(/\/$/, '') + PATH, options, (response) => {
        readBody(response).then((text) => resolve({ status: response.statusCode ?? 0, body: text }), reject);
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`the AFTR has not answered within ${timeout} ms`)));
      outgoing.on('error', (error: Error & { readonly code?: string }) => {
        reject(error.code === 'ECONNRESET' ? new CrowdedError(error.message, { cause: error }) : error);
      });
      outgoing.once('close', () => this.#closeWhenIdle());
      outgoing.end(body);
    });
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > LONGEST_ANSWER) throw new Error(`the AFTR answered with more than ${LONGEST_ANSWER} octets`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Connections stay open between messages that follow each other. Where a fingerprint is configured, it alone says whether it is the AFTR. */
function agentFor(target: Target, { key, cert }: OwnCertificate, localAddress: string | undefined): Agent {
  const { serverCertificateFingerprint: fingerprint, clientCertificate } = target;
  const options: AgentOptions = {
    ...TLS_SUITES,
    keepAlive: true,
    maxSockets: 1,
    ALPNProtocols: ['http/1.1'],
    timeout: ANSWER_MS,
    ...(clientCertificate !== undefined && { key, cert }),
    ...(localAddress !== undefined && { localAddress }),
  };
  return fingerprint === undefined ? new Agent(options) : new PinnedAgent(options, fingerprint);
}

type Created = (error: Error | null, stream: Duplex) => void;

/** Nothing is sent before the certificate is known. */
class PinnedAgent extends Agent {
  readonly #fingerprint: string;

  constructor(options: AgentOptions, fingerprint: string) {
    super(options);
    this.#fingerprint = fingerprint.toUpperCase();
  }

  override createConnection(options: ConnectionOptions, created: Created): undefined {
    const socket = connect({ ...options, rejectUnauthorized: false, session: undefined });
    const fail = (error: Error) => {
      socket.destroy();
      created(error, socket);
    };
    socket.setTimeout(CONNECT_MS, () => fail(new CrowdedError('the AFTR does not answer')));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', fail);
      const found = socket.getPeerCertificate().fingerprint256;
      if (found === this.#fingerprint) return created(null, socket);
      socket.on('error', () => undefined);
      fail(new Error(`the AFTR has another certificate than server-certificate-fingerprint says: ${found}`));
    });
  }
}

function refusalIn(status: number, body: string): TargetRefusal {
  const [, appTag = ''] = /"error-app-tag":\s*"([^"]*)"/.exec(body) ?? [];
  const [, message = ''] = /"error-message":\s*"((?:[^"\\]|\\.)*)"/.exec(body) ?? [];
  const text = message === '' ? `it answered with status ${status}` : (JSON.parse(`"${message}"`) as string);
  return new TargetRefusal(`the AFTR refused: ${text}`, appTag);
}
