/**
 * Echo requests of which each counts: `ping` leaves off soon after its last request once any answer has come, and so loses what comes
 * late on a busy machine. This one waits for all of them.
 */

const PYTHON = '/usr/bin/python3';
const ECHOES = `import select, socket, struct, sys, time
target, count, gap, size, identifier = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
SILENCE = 15
def checksum(octets):
  total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
  while total > 0xffff: total = (total & 0xffff) + (total >> 16)
  return ~total & 0xffff
def request(number):
  head = struct.pack("!HH", identifier, number & 0xffff)
  return b"\\x08\\0" + struct.pack("!H", checksum(b"\\x08\\0\\0\\0" + head + data)) + head + data
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
if "fragment" in sys.argv: s.setsockopt(0, 10, 0)
data = bytes(i * 7 & 255 for i in range(size))
open, sent, received, over = set(), 0, 0, False
began = last = time.monotonic()
while True:
  now = time.monotonic()
  if not over and now >= began + sent * gap:
    try: s.sendto(request(sent), (target, 0))
    except OSError: pass
    open.add(sent & 0xffff)
    sent, last = sent + 1, now
    over = sent == count
  if over and (not open or now - last > SILENCE): break
  wait = 0.5 if over else max(0, began + sent * gap - now)
  ready, _, _ = select.select([s] if over or count else [s, sys.stdin], [], [], wait)
  if sys.stdin in ready: over = True
  if s not in ready: continue
  packet = s.recv(70000)
  reply = packet[(packet[0] & 15) * 4:]
  kind, _, _, whose, number = struct.unpack("!BBHHH", reply[:8])
  if (kind, whose) == (0, identifier) and reply[8:] == data and number in open:
    open.remove(number)
    received, last = received + 1, now
print(sent, received)`;

export interface EchoOptions {
  /** Without one: until the input ends. */
  readonly count?: number;
  /** Seconds from one request to the next. */
  readonly gap?: number;
  /** Octets behind the ICMP header, an even number. */
  readonly size?: number;
  readonly identifier?: number;
  /** Whether the packets may be fragmented on their way. */
  readonly mayFragment?: boolean;
}

/** The command; it says how many it sent and how many came back as they went. */
export function echoWords(target: string, options: EchoOptions): string[] {
  const { count = 0, gap = 0.01, size = 56, identifier = 4_660, mayFragment = false } = options;
  const words = [count, gap, size, identifier].map(String);
  return [PYTHON, '-c', ECHOES, target, ...words, ...(mayFragment ? ['fragment'] : [])];
}

export function echoCounts(output: string): { readonly sent: number; readonly received: number } {
  const [sent = Number.NaN, received = Number.NaN] = output.split(' ').map(Number);
  return { sent, received };
}
