// needs: addon
/** Documents that the model takes and refuses, one case each, judged by yanglint with all modules of the program. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lintDocument } from './yanglint.ts';

const test = suite('gi-4over6');

const softwire = (content: string): string => `<softwire xmlns="urn:gi-4over6">${content}</softwire>`;
const gateway = (content: string): string => softwire(`<gateway><name>g</name>${content}</gateway>`);
const aftr = (content: string): string => softwire(`<aftr><name>a</name>${content}</aftr>`);
const table = (content: string): string => aftr(`<binding-table>${content}</binding-table>`);
const binding = (content: string): string => table(`<binding>${content}</binding>`);
const leaf = (name: string, value: string | number): string => `<${name}>${value}</${name}>`;

const PREFIX = leaf('ipv4-prefix', '192.0.2.0/28');
const REMOTE = leaf('gateway-ipv6-address', '2001:db8:a::1');

// What the model takes.
const valid = [
  ['nothing at all', softwire('')],
  ['a gateway with a name only', gateway('')],
  [
    'a whole gateway',
    gateway(
      leaf('enabled', 'false') +
        leaf('ipv6-address', '2001:db8:a::1') +
        leaf('aftr-ipv6-address', '2001:db8:b::1') +
        leaf('ipv4-interface', 'eth1') +
        leaf('ipv4-interface', 'eth2.100') +
        leaf('ipv4-address', '192.0.2.1') +
        `<served-prefix>${PREFIX}</served-prefix>` +
        leaf('softwire-payload-mtu', 1440) +
        leaf('traffic-class-mode', 'pipe') +
        leaf('pipe-dscp', 46) +
        leaf('ecn-mode', 'compatibility') +
        leaf('flow-label-mode', 'zero'),
    ),
  ],
  [
    'a whole AFTR',
    aftr(
      leaf('ipv6-address', '2001:db8:b::1') +
        leaf('additional-ipv6-address', '2001:db8:b::2') +
        leaf('ipv4-address', '198.51.100.1') +
        leaf('ipv4-pool', '192.0.2.0/24') +
        leaf('softwire-num-max', 1) +
        leaf('enable-hairpinning', 'false'),
    ),
  ],
  ['a binding', binding(PREFIX + REMOTE)],
  [
    'a binding with everything',
    binding(PREFIX + REMOTE + leaf('aftr-ipv6-address', '2001:db8:b::2') + leaf('description', 'x')),
  ],
  ['a binding of a single address', binding(leaf('ipv4-prefix', '192.0.2.1/32') + REMOTE)],
  ['two bindings, one in the other', nested()],
  ['host bits in a key', binding(leaf('ipv4-prefix', '192.0.2.5/28') + REMOTE)],
  ['the smallest payload MTU', gateway(leaf('softwire-payload-mtu', 68))],
  ['the largest payload MTU', gateway(leaf('softwire-payload-mtu', 65_495))],
  ['the shortest lifetime of a path MTU', gateway(leaf('path-mtu-lifetime', 5))],
  ['the longest lifetime of a path MTU', aftr(leaf('path-mtu-lifetime', 1_440))],
  ['an alarm at any part of a limit', aftr(`<reassembly>${leaf('alarm-threshold', 1)}</reassembly>`)],
  ['an alarm at a full table', aftr(leaf('softwire-num-threshold', 100))],
  ['the smallest hop limit', gateway(leaf('hop-limit', 1))],
  ['the largest hop limit', gateway(leaf('hop-limit', 255))],
  ['a description of 255 characters', binding(PREFIX + REMOTE + leaf('description', 'ä'.repeat(255)))],
  ['a name of 64 characters', softwire(`<aftr>${leaf('name', 'a'.repeat(64))}</aftr>`)],
] as const;

function nested(): string {
  const inner = `<binding>${leaf('ipv4-prefix', '192.0.2.1/32')}${REMOTE}</binding>`;
  return table(`<binding>${PREFIX}${REMOTE}</binding>${inner}`);
}

// What it refuses, and the node the complaint names.
const invalid = [
  ['a gateway without a name', softwire('<gateway/>'), 'name'],
  ['an empty name', softwire(`<aftr>${leaf('name', '')}</aftr>`), 'name'],
  ['a name of 65 characters', softwire(`<aftr>${leaf('name', 'a'.repeat(65))}</aftr>`), 'name'],
  ['a name with a slash', softwire(`<aftr>${leaf('name', 'a/b')}</aftr>`), 'name'],
  ['two AFTRs of one name', softwire('<aftr><name>a</name></aftr><aftr><name>a</name></aftr>'), 'aftr'],
  ['a payload MTU below the range', gateway(leaf('softwire-payload-mtu', 67)), 'softwire-payload-mtu'],
  ['a payload MTU above the range', gateway(leaf('softwire-payload-mtu', 65_496)), 'softwire-payload-mtu'],
  ['a path MTU that is forgotten too early', gateway(leaf('path-mtu-lifetime', 4)), 'path-mtu-lifetime'],
  ['a path MTU for more than a day', gateway(leaf('path-mtu-lifetime', 1_441)), 'path-mtu-lifetime'],
  ['an alarm always', aftr(`<reassembly>${leaf('alarm-threshold', 0)}</reassembly>`), 'alarm-threshold'],
  ['an alarm beyond the limit', aftr(leaf('softwire-num-threshold', 101)), 'softwire-num-threshold'],
  ['hop limit 0', gateway(leaf('hop-limit', 0)), 'hop-limit'],
  ['hop limit 256', gateway(leaf('hop-limit', 256)), 'hop-limit'],
  ['DSCP 64', gateway(leaf('pipe-dscp', 64)), 'pipe-dscp'],
  ['an unknown mode', gateway(leaf('traffic-class-mode', 'copy')), 'traffic-class-mode'],
  ['no binding allowed', aftr(leaf('softwire-num-max', 0)), 'softwire-num-max'],
  ['an interface name of 16 characters', gateway(leaf('ipv4-interface', 'e'.repeat(16))), 'ipv4-interface'],
  ['an interface name with a blank', gateway(leaf('ipv4-interface', 'eth 0')), 'ipv4-interface'],
  ['one interface twice', gateway(leaf('ipv4-interface', 'e').repeat(2)), 'ipv4-interface'],
  ['a tunnel address with a zone', gateway(leaf('ipv6-address', 'fe80::1%eth0')), 'ipv6-address'],
  ['an IPv4 tunnel address', gateway(leaf('ipv6-address', '192.0.2.1')), 'ipv6-address'],
  ['a pool without a length', aftr(leaf('ipv4-pool', '192.0.2.0')), 'ipv4-pool'],
  ['a pool of length 33', aftr(leaf('ipv4-pool', '192.0.2.0/33')), 'ipv4-pool'],
  ['a binding without a prefix', binding(REMOTE), 'ipv4-prefix'],
  ['a binding without a gateway', binding(PREFIX), 'gateway-ipv6-address'],
  [
    'one binding twice, spelled differently',
    table(`<binding>${PREFIX}${REMOTE}</binding><binding>${leaf('ipv4-prefix', '192.0.2.7/28')}${REMOTE}</binding>`),
    'binding',
  ],
  ['a description of 256 characters', binding(PREFIX + REMOTE + leaf('description', 'x'.repeat(256))), 'description'],
  ['state in a configuration', binding(PREFIX + REMOTE + leaf('origin', 'static')), 'origin'],
  ['an unknown leaf', gateway(leaf('mtu', 1400)), 'mtu'],
  ['a leaf of another role', gateway(leaf('enable-hairpinning', 'true')), 'enable-hairpinning'],
] as const;

// What is refused while its feature is off, and taken when it is on: the feature, where, the document.
const features = [
  ['port-sharing', 'config', table(sharedAddress())],
  ['route-advertisement', 'config', gateway(routeAdvertisement())],
  ['route-source', 'config', aftr(routeSource())],
  ['interface-derived-address', 'config', gateway(leaf('ipv6-from-interface', 'eth0'))],
  ['path-mru', 'config', aftr(leaf('softwire-path-mru', 1500))],
  ['outer-fragmentation', 'config', aftr(leaf('outer-fragmentation', 'false'))],
  ['reassembly', 'config', aftr(`<reassembly>${leaf('timeout', 60)}</reassembly>`)],
  ['encapsulation-limit', 'config', aftr(leaf('encapsulation-limit', 4))],
  ['tcp-mss-clamp', 'config', aftr(leaf('tcp-mss-clamp', 1420))],
  ['icmp-policy', 'config', aftr(icmpPolicy())],
  ['path-mtu-discovery', 'data', gateway(`<state>${leaf('path-mtu', 1500)}</state>`)],
  ['source-refusal', 'data', gateway('<state><source-refusal/></state>')],
  ['binding-statistics', 'data', binding(`${PREFIX}${REMOTE}${statistics()}`)],
  ['softwire-statistics', 'data', aftr(`<softwire>${REMOTE}${statistics()}</softwire>`)],
  ['trace', 'rpc', `<trace xmlns="urn:gi-4over6">${leaf('packet', 'RQAAFA==')}</trace>`],
  [
    'renumbering',
    'rpc',
    aftr(`<renumber-gateway>${leaf('old-ipv6-address', '::2')}${leaf('new-ipv6-address', '::3')}</renumber-gateway>`),
  ],
  ['statistics-reset', 'rpc', aftr('<clear-statistics/>')],
  [
    'event-notifications',
    'notif',
    `<binding-limit xmlns="urn:gi-4over6">${leaf('aftr', 'a')}${leaf('bindings', 9)}</binding-limit>`,
  ],
] as const;

function sharedAddress(): string {
  const portSet = `<port-set>${leaf('psid', 52)}${leaf('b4-ipv6-address', '2001:db8:c::1')}</port-set>`;
  const address = leaf('ipv4-address', '192.0.2.9') + leaf('psid-length', 8);
  return `<shared-address>${address}${portSet}</shared-address>`;
}

function routeAdvertisement(identity = leaf('client-name', 'g') + leaf('password', 'secret')): string {
  const where = leaf('url', 'https://[2001:db8::1]:8443/restconf') + identity;
  return `<route-advertisement><target>${leaf('name', 'a')}${where}</target></route-advertisement>`;
}

function routeSource(identity = leaf('password', `$6$saltsalt$${'x'.repeat(86)}`)): string {
  return `<route-source>${leaf('name', 'g')}${REMOTE}${identity}${leaf('allowed-prefix', '192.0.2.0/24')}</route-source>`;
}

function icmpPolicy(): string {
  return `<icmp-policy><icmpv4-errors>${leaf('icmpv4-rate', 5)}</icmpv4-errors></icmp-policy>`;
}

function statistics(): string {
  return `<statistics>${leaf('discontinuity-time', '2026-01-01T00:00:00Z')}${leaf('encapsulated-packets', 1)}</statistics>`;
}

function lookup(input: string): string {
  return aftr(`<lookup>${input}</lookup>`);
}

for (const [name, document] of valid) {
  test(`taken: ${name}`, () => {
    const { accepted, complaints } = lintDocument('config', document);
    assert.is(complaints, '');
    assert.ok(accepted);
  });
}

for (const [name, document, node] of invalid) {
  test(`refused: ${name}`, () => {
    const { accepted, complaints } = lintDocument('config', document);
    assert.not.ok(accepted);
    assert.ok(complaints.includes(node), complaints);
  });
}

for (const [feature, type, document] of features) {
  test(`feature ${feature}: refused while it is off, taken when it is on`, () => {
    assert.not.ok(lintDocument(type, document, []).accepted);
    const { accepted, complaints } = lintDocument(type, document, [feature]);
    assert.is(complaints, '');
    assert.ok(accepted);
  });
}

for (const [end, document] of [
  ['gateway', gateway(routeAdvertisement(leaf('client-certificate', 'device')))],
  ['AFTR', aftr(routeSource(leaf('certificate-fingerprint', Array(32).fill('ab').join(':'))))],
] as const) {
  test(`feature route-source-certificate, at the ${end}: refused while it is off, taken when it is on`, () => {
    const without = ['route-advertisement', 'route-source'];
    assert.not.ok(lintDocument('config', document, without).accepted);
    assert.is(lintDocument('config', document, [...without, 'route-source-certificate']).complaints, '');
  });
}

test('lookup, now and at a time', () => {
  assert.ok(lintDocument('rpc', lookup(leaf('ipv4-address', '192.0.2.1'))).accepted);
  const then = leaf('time', '2026-01-01T00:00:00Z');
  assert.ok(lintDocument('rpc', lookup(leaf('ipv4-address', '192.0.2.1') + then)).accepted);
  assert.not.ok(lintDocument('rpc', lookup('')).accepted);
});

test('what is not served of ietf-system is refused, users are taken', () => {
  const system = (content: string): string =>
    `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system">${content}</system>`;
  assert.not.ok(lintDocument('config', system(leaf('hostname', 'h'))).accepted);
  assert.not.ok(lintDocument('config', system('<ntp/>')).accepted);
  const operation = (name: string, input = '') =>
    lintDocument('rpc', `<${name} xmlns="urn:ietf:params:xml:ns:yang:ietf-system">${input}</${name}>`).accepted;
  assert.not.ok(operation('set-current-datetime', leaf('current-datetime', '2026-01-01T00:00:00Z')));
  assert.ok(operation('system-restart') && operation('system-shutdown'));
  const user = `<authentication><user>${leaf('name', 'operator')}</user></authentication>`;
  assert.is(lintDocument('config', system(user)).complaints, '');
});

test.run();
