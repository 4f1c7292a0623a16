// needs: root
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEVICE, GATEWAY_TUNNEL, INTERNET, stop, until } from '../../tools/topology.ts';
import { TwoBoxes } from '../helpers/two-boxes.ts';

/** A real TCP connection while somebody scans addresses of the pool that nothing is bound to. */
const test = suite('scan end to end');
const SOFTWIRE = '/restconf/data/gi-4over6:softwire';
const LEARNED = `${SOFTWIRE}/aftr=edge/softwire=${encodeURIComponent(GATEWAY_TUNNEL)}`;
const FILE_OCTETS = 1_000_000;
const LINK_MTU = 1_400;
const SERVER = `
from http.server import BaseHTTPRequestHandler, HTTPServer
class Files(BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(bytes(${FILE_OCTETS}))
    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"")
    def log_message(self, *words):
        pass
HTTPServer(("", 8080), Files).serve_forever()
`;
/** UDP to all of 192.0.2.0/24 in turn, some thousand packets a second, until it is ended, for two minutes at most. */
const SCANNER = `
import socket, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end, i = time.monotonic() + 120, 0
while time.monotonic() < end:
    for _ in range(10):
        try:
            sender.sendto(b"scan", ("192.0.2.%d" % (1 + i % 250), 9))
        except OSError:
            pass
        i += 1
    time.sleep(0.001)
`;

const boxes = await TwoBoxes.start(`gi4over6-scan-${process.pid}`);
const { topology } = boxes;
await boxes.configureBoth();

interface Errors {
  readonly sent: number;
  readonly suppressed: number;
}

/** ICMPv4 errors of the AFTR. */
function errors(): Errors {
  const { body } = boxes.restconf('aftr', 'GET', `${SOFTWIRE}/aftr=edge/statistics/icmp-errors`);
  const [counts] = Object.values(JSON.parse(body) as Record<string, Record<string, string>>);
  return { sent: Number(counts?.['icmpv4-sent']), suppressed: Number(counts?.['icmpv4-suppressed']) };
}

function learned(): string {
  return boxes.restconf('aftr', 'GET', LEARNED).body;
}

/** What a host believes of the way to an address. */
function mtuOf(host: 'device' | 'internet', target: string): string | undefined {
  return /mtu (\d+)/.exec(topology.run(host, ['ip', 'route', 'get', target]).output)?.[1];
}

test('curl learns its path MTU in both directions while a scan has all errors about unbound addresses (D56, D80, D96, D104)', async () => {
  for (const host of ['gateway', 'aftr'] as const) topology.ip(host, `link set right mtu ${LINK_MTU}`);
  const server = topology.start('internet', ['python3', '-c', SERVER]);
  const url = `http://${INTERNET}:8080/file`;
  assert.ok(await until(60_000, () => topology.run('internet', ['sh', '-c', 'ss -tln | grep -q :8080']).status === 0));
  const scanner = topology.start('internet', ['python3', '-c', SCANNER]);
  assert.ok(await until(60_000, () => errors().suppressed > 100), 'the scan has more than its share');
  for (const host of ['device', 'internet'] as const) topology.run(host, ['ip', 'route', 'flush', 'cache']);
  assert.is(mtuOf('internet', DEVICE), undefined);
  const before = errors();

  const quiet = ['curl', '-s', '--max-time', '50', '-o', '/dev/null'];
  const down = [...quiet, '-w', '%{http_code} %{size_download}', url];
  assert.is(topology.run('device', down).output, `200 ${FILE_OCTETS}`);
  assert.is(mtuOf('internet', DEVICE), '1360');
  assert.match(learned(), /"path-mtu":1400/);

  // What the other end knows of the path would be the segment size it offers.
  topology.run('internet', ['ip', 'route', 'flush', 'cache']);
  const file = topology.path('file');
  writeFileSync(file, Buffer.alloc(FILE_OCTETS));
  const up = [...quiet, '-w', '%{http_code} %{size_upload}', '-H', 'Expect:', '-T', file, url];
  assert.is(topology.run('device', up).output, `200 ${FILE_OCTETS}`);
  assert.is(mtuOf('device', INTERNET), '1360');

  const after = errors();
  assert.ok(after.suppressed > before.suppressed + 100, `the scan went on: ${after.suppressed - before.suppressed}`);
  assert.is(scanner.exitCode, null);
  await stop(scanner);
  await stop(server);
});

test('stop', () => boxes.close());

test.run();
