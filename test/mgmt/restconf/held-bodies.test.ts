/** Who gives up a body when there is too little memory. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeldBodies } from '../../../src/mgmt/restconf/held-bodies.ts';

const test = suite('restconf: held bodies');

const LIMITS = { heldOctets: 100, heldOctetsPerSource: 60, heldOctetsPerConnection: 40 };

/** Names are `source connection request`; `+` behind the octets means that the body is whole then. */
type Step = readonly [name: string, octets: number | 'end', whole?: '+'];

const cases: readonly (readonly [what: string, steps: readonly Step[], givenUp: readonly string[], total: number])[] = [
  [
    'all at their limits',
    [
      ['a 1 x', 40],
      ['a 2 x', 20],
      ['b 1 x', 40],
    ],
    [],
    100,
  ],
  [
    'a connection has one too many: its largest',
    [
      ['a 1 x', 25],
      ['a 1 y', 15],
      ['a 1 z', 1],
      ['b 1 x', 30],
    ],
    ['a 1 x'],
    46,
  ],
  [
    'the one that grows is the largest',
    [
      ['a 1 x', 40],
      ['a 1 x', 41],
    ],
    ['a 1 x'],
    0,
  ],
  [
    'a source has one too many: its largest',
    [
      ['a 1 x', 30],
      ['a 2 x', 20],
      ['a 3 x', 11],
      ['b 1 x', 39],
    ],
    ['a 1 x'],
    70,
  ],
  [
    'all have one too many: the largest of the source with most',
    [
      ['b 1 x', 36],
      ['a 1 x', 30],
      ['a 2 x', 30],
      ['c 1 x', 5],
    ],
    ['a 1 x'],
    71,
  ],
  [
    'what is whole is not given up',
    [
      ['a 1 x', 38, '+'],
      ['a 1 y', 3],
    ],
    ['a 1 y'],
    38,
  ],
  [
    'a source whose bodies are all whole is passed over',
    [
      ['a 1 x', 40, '+'],
      ['a 2 x', 20, '+'],
      ['b 1 x', 35],
      ['c 1 x', 6],
    ],
    ['b 1 x'],
    66,
  ],
  [
    'what has ended makes room',
    [
      ['a 1 x', 40],
      ['a 1 x', 'end'],
      ['a 1 y', 40],
    ],
    [],
    40,
  ],
  [
    'an end comes once',
    [
      ['a 1 x', 40],
      ['a 1 x', 'end'],
      ['a 1 x', 'end'],
      ['b 1 x', 5],
    ],
    [],
    5,
  ],
  [
    'what was given up counts no more, whatever comes',
    [
      ['a 1 x', 41],
      ['a 1 x', 90],
      ['a 1 y', 40],
    ],
    ['a 1 x'],
    40,
  ],
  [
    'what is less than before counts less',
    [
      ['a 1 x', 40],
      ['a 1 x', 5],
      ['a 1 y', 35],
    ],
    [],
    40,
  ],
];
for (const [what, steps, expected, total] of cases) {
  test(what, () => {
    const bodies = new HeldBodies(LIMITS);
    const connections = new Map<string, object>();
    const held = new Map<string, ReturnType<HeldBodies['join']>>();
    const givenUp: string[] = [];
    for (const [name, octets, whole] of steps) {
      const [source = '', connection] = name.split(' ');
      const key = `${source} ${connection}`;
      connections.set(key, connections.get(key) ?? {});
      const body = held.get(name) ?? bodies.join(connections.get(key) ?? {}, source, () => givenUp.push(name));
      held.set(name, body);
      if (octets === 'end') body.end();
      else body.note(octets);
      if (whole) body.whole();
    }
    assert.equal(givenUp, expected);
    assert.is(bodies.total, total);
    for (const body of held.values()) body.end();
    assert.is(bodies.total, 0);
  });
}

test.run();
