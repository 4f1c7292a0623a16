/**
 * The baseline of NETCONF over SSH: a subsystem that answers each message with the same text, on the same library. `ssh-echo.js KEY TEXT`,
 * KEY being the client's public key; writes its port, works until its input ends.
 */

import { createServer } from 'node:net';
import ssh2 from 'ssh2';

/** Framing of base:1.0. */
const MARK = ']]>]]>';
const [line = '', text = ''] = process.argv.slice(2);
const answer = text + MARK;
const allowed = ssh2.utils.parseKey(line);
if (allowed instanceof Error) throw allowed;
const wanted = allowed.getPublicSSH();
const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');

const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
  connection.on('error', () => undefined);
  connection.on('authentication', (context) => {
    if (context.method !== 'publickey' || !context.key.data.equals(wanted)) return context.reject(['publickey']);
    if (!context.signature || !context.blob) return context.accept();
    const isRight = allowed.verify(context.blob, context.signature, context.hashAlgo);
    return isRight === true ? context.accept() : context.reject(['publickey']);
  });
  connection.on('session', (accept) => {
    accept().on('subsystem', (acceptSubsystem) => {
      const stream = acceptSubsystem();
      stream.on('error', () => undefined);
      stream.write(answer);
      let held = '';
      let isHello = true;
      stream.on('data', (piece: Buffer) => {
        held += piece.toString('latin1');
        for (let at = held.indexOf(MARK); at >= 0; at = held.indexOf(MARK)) {
          held = held.slice(at + MARK.length);
          if (!isHello) stream.write(answer);
          isHello = false;
        }
      });
    });
  });
});
// As the program does: without this an answer waits for the acknowledgement of the one before.
const tcp = createServer({ noDelay: true }, (socket) => server.injectSocket(socket));
tcp.listen(0, '127.0.0.1', () => {
  const address = tcp.address();
  process.stdout.write(`${typeof address === 'object' && address !== null ? address.port : ''}\n`);
});
process.stdin.once('end', () => process.exit(0));
process.stdin.resume();
