// needs: root
import { execFileSync } from 'node:child_process';
import { createPersistent } from 'node-tuntap2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv4Prefix, parseIpv6 } from '../../src/address.ts';
import { Kernel } from '../../src/kernel/kernel.ts';
import type { KernelConfig } from '../../src/kernel/plan.ts';
import { MAX_RULES } from '../../src/kernel/plan.ts';
import { enterOwnNetwork } from '../helpers/own-network.ts';

enterOwnNetwork();
const test = suite('kernel');

function ip(words: string): string {
  return execFileSync('ip', words.split(' '), { encoding: 'utf8' });
}

function config(served: readonly string[], tunnel = '2001:db8:a::1'): KernelConfig {
  const octets = (text: string) => parseIpv6(text) ?? new Uint8Array(16);
  return {
    gatewayDevice: 'gi-gw',
    aftrDevice: 'gi-aftr',
    gateways: [
      {
        name: 'g',
        ipv6Address: octets(tunnel),
        aftrIpv6Address: octets('2001:db8:b::1'),
        ipv4Interfaces: ['left'],
        servedPrefixes: served.flatMap((text) => parseIpv4Prefix(text) ?? []),
        payloadMtu: 1460,
      },
    ],
    aftrs: [],
  };
}

ip('link set lo up');
ip('link add left type veth peer name right');
for (const link of ['left', 'right']) ip(`link set ${link} up`);
ip('addr add 2001:db8:12::1/64 dev right nodad');
ip('addr add 203.0.113.1/24 dev right');
ip('route add 10.9.0.0/16 via 203.0.113.2');
ip('rule add priority 100 from 10.8.0.0/16 lookup main');
createPersistent({ name: 'gi-gw' });

/** All routes but those the kernel makes by itself in its own time. */
function allRoutes(): string {
  return ip('route show table all').replace(/^.*(?:anycast|multicast|fe80::).*\n/gm, '');
}

const others = { routes: allRoutes(), rules: ip('rule') };
const kernel = new Kernel();

test('apply sets what is planned, apply again changes nothing, what is too much goes', async () => {
  await kernel.apply(config(['198.51.100.0/24', '192.0.2.0/24']));
  const rules = ip('rule');
  assert.match(rules, /4446:\tfrom 198\.51\.100\.0\/24 lookup main suppress_prefixlength 0 proto 246/);
  assert.match(rules, /4447:\tfrom 192\.0\.2\.0\/24 lookup 4446 proto 246/);
  const routes = ip('route show table all');
  assert.match(routes, /default dev gi-gw table 4446 proto 246/);
  assert.match(routes, /blackhole 198\.51\.100\.0\/24 proto 246/);
  assert.match(ip('-6 route'), /2001:db8:a::1 dev gi-gw proto 246/);
  assert.match(ip('link show gi-gw'), /<[^>]*UP[^>]*>.*mtu 65535.*qlen 1000/s);
  assert.not.match(ip('-6 addr show dev gi-gw'), /fe80/);
  await kernel.apply(config(['198.51.100.0/24', '192.0.2.0/24']));
  assert.is(ip('rule'), rules);
  assert.is(ip('route show table all'), routes);
  await kernel.apply(config(['198.51.100.0/24']));
  assert.not.match(ip('rule') + ip('route show table all'), /192\.0\.2\.0/);
});

test('what others removed comes back', async () => {
  ip('route flush proto 246 table 4446');
  ip('rule del priority 4447');
  await kernel.apply(config(['198.51.100.0/24']));
  assert.match(ip('route show table 4446'), /default dev gi-gw/);
  assert.match(ip('rule'), /4447:/);
});

test('a tunnel address of an on-link prefix is answered for there', async () => {
  await kernel.apply(config(['198.51.100.0/24'], '2001:db8:12::7'));
  assert.match(ip('-6 neigh show proxy'), /2001:db8:12::7 dev right/);
  assert.match(execFileSync('sysctl', ['net.ipv6.conf.right.proxy_ndp'], { encoding: 'utf8' }), /= 1/);
  await kernel.apply(config(['198.51.100.0/24']));
  assert.not.match(ip('-6 neigh show proxy'), /2001:db8:12::7/);
});

test('many prefixes are marked by nftables, few are not', async () => {
  await kernel.apply(config(Array.from({ length: MAX_RULES + 1 }, (_, i) => `10.${100 + i}.1.0/24`)));
  assert.match(
    execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }),
    /table inet gi4over6.*10\.100\.1\.0\/24/s,
  );
  assert.match(ip('rule'), /fwmark 0x4446 lookup 4446/);
  await kernel.apply(config(['198.51.100.0/24']));
  assert.not.match(execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }), /gi4over6/);
});

test('diagnosis names what stands in the way', async () => {
  const found = (await kernel.diagnose(config(['198.51.100.0/24']))).join('\n');
  assert.match(found, /no IPv6 route leads to its AFTR 2001:db8:b::1/);
  ip('-6 route add 2001:db8:b::/48 via 2001:db8:12::2');
  assert.not.match((await kernel.diagnose(config(['198.51.100.0/24']))).join('\n'), /no IPv6 route/);
  ip('link set right mtu 1400');
  assert.match(
    (await kernel.diagnose(config(['198.51.100.0/24']))).join('\n'),
    /right towards the AFTR has MTU 1400, softwire-payload-mtu 1460 needs 1500/,
  );
  execFileSync('nft', ['-f', '-'], {
    input: 'table ip f {\n chain c {\n type filter hook forward priority 0; policy drop;\n }\n}\n',
  });
  execFileSync('sysctl', ['-qw', 'net.ipv4.conf.all.rp_filter=1', 'net.ipv4.ip_forward=0']);
  const more = (await kernel.diagnose(config(['198.51.100.0/24']))).join('\n');
  for (const pattern of [
    /table ip f drops forwarded packets/,
    /strict reverse path filtering/,
    /IPv4 forwarding is off/,
  ])
    assert.match(more, pattern);
  ip('link set left down');
  assert.match((await kernel.diagnose(config(['198.51.100.0/24']))).join('\n'), /interface left is down/);
  ip('link set left up');
});

test('remove takes back everything and nothing of others', async () => {
  ip('-6 route del 2001:db8:b::/48');
  await kernel.remove(['gi-gw', 'gi-aftr']);
  assert.is(allRoutes(), others.routes);
  assert.is(ip('rule'), others.rules);
  assert.not.match(ip('link'), /gi-gw/);
});

test.run();
