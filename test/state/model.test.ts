/** The generated model: is it what the schema gives, does it read configurations. The row codec: row-form.test.ts. */

import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIpv6 } from '../../src/address.ts';
import { readConfiguration } from '../../src/state/configuration-reader.generated.ts';

const test = suite('model');

test('the generated file is what the model gives', () => {
  const { status, stderr } = spawnSync(process.execPath, ['dist/tools/generate.js', '--check'], { encoding: 'utf8' });
  assert.is(stderr, '');
  assert.is(status, 0);
});

function ipv6(text: string): Uint8Array {
  const octets = parseIpv6(text);
  if (!octets) throw new Error(`${text} is no IPv6 address`);
  return octets;
}

const TUNNEL_DEFAULTS = {
  softwirePayloadMtu: 1460,
  pathMtuLifetime: 10,
  hopLimit: 64,
  trafficClassMode: 'uniform',
  pipeDscp: 0,
  ecnMode: 'normal',
  flowLabelMode: 'flow',
  outerFragmentation: true,
  encapsulationLimit: undefined,
  tcpMssClamp: undefined,
  reassembly: {
    timeout: 60,
    maximumFragments: 20,
    maximumPackets: 10_000,
    maximumPacketsPerSource: 100,
    alarmThreshold: 80,
  },
  icmpPolicy: {
    icmpv4Errors: { allowIncomingIcmpv4: true, generateIcmpv4Errors: true, icmpv4Rate: 10, icmpv4Burst: 10 },
    icmpv6Errors: { generateIcmpv6Errors: true, icmpv6Rate: 10, icmpv6Burst: 10 },
  },
  logEcnAnomalies: true,
  sourceRouteOptions: 'drop',
};

const URL = 'https://aftr.example:8443/restconf';
const TARGET = {
  url: URL,
  clientName: undefined,
  password: undefined,
  clientCertificate: undefined,
  serverCertificateFingerprint: undefined,
};
const SOURCE = {
  password: undefined,
  certificateFingerprint: undefined,
  bgpNeighbor: [],
  allowedPrefix: [],
  maximumRoutes: 1000,
  holdTime: 90,
  graceTime: 120,
};

const BGP = {
  localAs: undefined,
  routerId: undefined,
  localPort: 179,
  localAddress: [],
  engineSocket: undefined,
  neighbor: [],
};
const NEIGHBOR = {
  peerPort: 179,
  password: undefined,
  passive: false,
  holdTime: 90,
  maximumHops: 1,
  ttlSecurity: false,
  gracefulRestartTime: 120,
};

const configurations = [
  ['nothing configured', {}, { gateway: [], aftr: [] }],
  [
    'defaults of a gateway',
    { 'gi-4over6:softwire': { gateway: [{ name: 'g' }] } },
    {
      gateway: [
        {
          name: 'g',
          enabled: true,
          ipv6Address: undefined,
          aftrIpv6Address: undefined,
          aftrFromDhcpv6: undefined,
          ipv4Interface: [],
          ipv4Address: undefined,
          servedPrefix: [],
          ...TUNNEL_DEFAULTS,
          routeAdvertisement: { routeTable: [], includePrefix: [], excludePrefix: [], bgpNeighbor: [], target: [] },
        },
      ],
      aftr: [],
    },
  ],
  [
    'defaults of an AFTR; bindings are no part of the tree',
    { 'gi-4over6:softwire': { aftr: [{ name: 'a', 'binding-table': { binding: [{ 'ipv4-prefix': 'ignored' }] } }] } },
    {
      gateway: [],
      aftr: [
        {
          name: 'a',
          enabled: true,
          ipv6Address: undefined,
          additionalIpv6Address: [],
          ipv4Address: undefined,
          ipv4Pool: [],
          softwireNumMax: undefined,
          softwireNumThreshold: 90,
          enableHairpinning: true,
          bindingCounters: false,
          ...TUNNEL_DEFAULTS,
          bindingTable: { sharedAddress: [] },
          routeSource: [],
        },
      ],
    },
  ],
  [
    'every leaf of a gateway',
    {
      'gi-4over6:softwire': {
        gateway: [
          {
            name: 'g',
            enabled: false,
            'ipv6-address': '2001:db8:a::1',
            'aftr-ipv6-address': '2001:db8:b::1',
            'ipv4-interface': ['eth1', 'eth2'],
            'ipv4-address': '192.0.2.1',
            'served-prefix': [{ 'ipv4-prefix': '192.0.2.0/28' }],
            'softwire-payload-mtu': 1440,
            'path-mtu-lifetime': 5,
            'hop-limit': 7,
            'traffic-class-mode': 'pipe',
            'pipe-dscp': 46,
            'ecn-mode': 'compatibility',
            'flow-label-mode': 'zero',
            'log-ecn-anomalies': false,
            'source-route-options': 'forward',
            'outer-fragmentation': false,
            'encapsulation-limit': 4,
            'tcp-mss-clamp': 1420,
            'route-advertisement': {
              'route-table': [254, 100],
              'include-prefix': ['192.0.2.0/24'],
              'exclude-prefix': ['192.0.2.64/26'],
              'bgp-neighbor': ['2001:db8::1'],
              target: [
                { name: 'one', url: URL, 'client-name': 'g', password: 'secret' },
                { name: 'two', url: URL, 'client-certificate': 'device', 'server-certificate-fingerprint': 'AB' },
              ],
            },
            reassembly: {
              timeout: 30,
              'maximum-fragments': 5,
              'maximum-packets': 50,
              'maximum-packets-per-source': 7,
              'alarm-threshold': 50,
            },
            'icmp-policy': {
              'icmpv4-errors': {
                'allow-incoming-icmpv4': false,
                'generate-icmpv4-errors': false,
                'icmpv4-rate': 1,
                'icmpv4-burst': 2,
              },
              'icmpv6-errors': { 'generate-icmpv6-errors': false, 'icmpv6-rate': 3, 'icmpv6-burst': 4 },
            },
          },
        ],
      },
    },
    {
      gateway: [
        {
          name: 'g',
          enabled: false,
          ipv6Address: ipv6('2001:db8:a::1'),
          aftrIpv6Address: ipv6('2001:db8:b::1'),
          aftrFromDhcpv6: undefined,
          ipv4Interface: ['eth1', 'eth2'],
          ipv4Address: 0xc0000201,
          servedPrefix: [{ ipv4Prefix: { address: 0xc0000200, length: 28 } }],
          softwirePayloadMtu: 1440,
          pathMtuLifetime: 5,
          hopLimit: 7,
          trafficClassMode: 'pipe',
          pipeDscp: 46,
          ecnMode: 'compatibility',
          flowLabelMode: 'zero',
          outerFragmentation: false,
          encapsulationLimit: 4,
          tcpMssClamp: 1420,
          reassembly: {
            timeout: 30,
            maximumFragments: 5,
            maximumPackets: 50,
            maximumPacketsPerSource: 7,
            alarmThreshold: 50,
          },
          icmpPolicy: {
            icmpv4Errors: { allowIncomingIcmpv4: false, generateIcmpv4Errors: false, icmpv4Rate: 1, icmpv4Burst: 2 },
            icmpv6Errors: { generateIcmpv6Errors: false, icmpv6Rate: 3, icmpv6Burst: 4 },
          },
          logEcnAnomalies: false,
          sourceRouteOptions: 'forward',
          routeAdvertisement: {
            routeTable: [254, 100],
            includePrefix: [{ address: 0xc0000200, length: 24 }],
            excludePrefix: [{ address: 0xc0000240, length: 26 }],
            bgpNeighbor: [ipv6('2001:db8::1')],
            target: [
              { ...TARGET, name: 'one', clientName: 'g', password: 'secret' },
              { ...TARGET, name: 'two', clientCertificate: 'device', serverCertificateFingerprint: 'AB' },
            ],
          },
        },
      ],
      aftr: [],
    },
  ],
  [
    'leaves of an AFTR',
    {
      'gi-4over6:softwire': {
        aftr: [
          {
            name: 'a',
            'ipv6-address': '2001:db8:b::1',
            'additional-ipv6-address': ['2001:db8:b::2'],
            'ipv4-pool': ['192.0.2.0/24', '198.51.100.0/25'],
            'softwire-num-max': 10,
            'softwire-num-threshold': 45,
            'enable-hairpinning': false,
            'binding-counters': true,
            'route-source': [
              {
                name: 'g1',
                'gateway-ipv6-address': '2001:db8:a::1',
                password: '$6$',
                'allowed-prefix': ['192.0.2.0/24'],
              },
              { name: 'g2', 'gateway-ipv6-address': '2001:db8:a::2', 'certificate-fingerprint': 'AB', 'hold-time': 9 },
            ],
            'binding-table': {
              'shared-address': [
                {
                  'ipv4-address': '192.0.2.9',
                  'psid-length': 8,
                  'port-set': [{ psid: 52, 'b4-ipv6-address': '2001:db8:c::1' }],
                },
              ],
            },
          },
        ],
      },
    },
    {
      gateway: [],
      aftr: [
        {
          name: 'a',
          enabled: true,
          ipv6Address: ipv6('2001:db8:b::1'),
          additionalIpv6Address: [ipv6('2001:db8:b::2')],
          ipv4Address: undefined,
          ipv4Pool: [
            { address: 0xc0000200, length: 24 },
            { address: 0xc6336400, length: 25 },
          ],
          softwireNumMax: 10,
          softwireNumThreshold: 45,
          enableHairpinning: false,
          bindingCounters: true,
          ...TUNNEL_DEFAULTS,
          bindingTable: {
            sharedAddress: [
              {
                ipv4Address: 0xc0000209,
                psidOffset: 6,
                psidLength: 8,
                portSet: [{ psid: 52, b4Ipv6Address: ipv6('2001:db8:c::1'), aftrIpv6Address: undefined }],
              },
            ],
          },
          routeSource: [
            {
              ...SOURCE,
              name: 'g1',
              gatewayIpv6Address: ipv6('2001:db8:a::1'),
              password: '$6$',
              allowedPrefix: [{ address: 0xc0000200, length: 24 }],
            },
            {
              ...SOURCE,
              name: 'g2',
              gatewayIpv6Address: ipv6('2001:db8:a::2'),
              certificateFingerprint: 'AB',
              holdTime: 9,
            },
          ],
        },
      ],
    },
  ],
  [
    'BGP',
    {
      'gi-4over6:softwire': {
        bgp: {
          'local-as': 65000,
          'router-id': '192.0.2.1',
          neighbor: [
            { address: '2001:db8::1', 'peer-as': 65001 },
            { address: '2001:db8::2', 'peer-as': 65001, password: 'x', 'ttl-security': true, 'maximum-hops': 2 },
          ],
        },
      },
    },
    {
      gateway: [],
      aftr: [],
      bgp: {
        ...BGP,
        localAs: 65000,
        routerId: 0xc0000201,
        neighbor: [
          { ...NEIGHBOR, address: ipv6('2001:db8::1'), peerAs: 65001 },
          {
            ...NEIGHBOR,
            address: ipv6('2001:db8::2'),
            peerAs: 65001,
            password: 'x',
            ttlSecurity: true,
            maximumHops: 2,
          },
        ],
      },
    },
  ],
] as const;
for (const [name, data, expected] of configurations) {
  const history = { maximumChanges: 2_000_000, maximumAge: undefined };
  test(`configuration: ${name}`, () => assert.equal(readConfiguration(data), { bgp: BGP, ...expected, history }));
}

test('configuration: limits of history', () => {
  const data = { 'gi-4over6:softwire': { history: { 'maximum-changes': 5, 'maximum-age': 30 } } };
  assert.equal(readConfiguration(data).history, { maximumChanges: 5, maximumAge: 30 });
});

test('a stored address that is none is our own mistake', () => {
  const data = { 'gi-4over6:softwire': { gateway: [{ name: 'g', 'ipv6-address': 'x' }] } };
  assert.throws(() => readConfiguration(data), /'x'/);
});

test.run();
