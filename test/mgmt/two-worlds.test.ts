// needs: addon, root
/**
 * What a user may not read never shows (RFC 8341 §3.2.4, §3.2.5): two devices that differ in that alone answer him alike, whatever he
 * asks, and send him the same notifications.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HiddenPlace } from '../helpers/hidden-places.ts';
import { HIDDEN_PLACES } from '../helpers/hidden-places.ts';
import type { RawClient } from '../helpers/netconf-client.ts';
import { outcome } from '../helpers/netconf-client.ts';
import { edit } from '../helpers/netconf-requests.ts';
import { probingRequest } from '../helpers/probing-requests.ts';
import { random, seed } from '../helpers/random.ts';
import type { RuleText, World } from '../helpers/two-worlds.ts';
import {
  answer,
  BY_THE_CLOCK,
  begin,
  closeWorld,
  commonConfiguration,
  done,
  guestOf,
  hide,
  LAST_MARK,
  newestVersion,
  openWorld,
  plain,
  SAVE,
  sameAnswers,
} from '../helpers/two-worlds.ts';
import { openWorldStream, randomStream } from '../helpers/world-streams.ts';

const test = suite('two worlds');
/** Rounds of random rules and contents, and requests in each. */
const ROUNDS = Number(process.env.GI4OVER6_ROUNDS ?? 4);
const REQUESTS = 120;
/** A change of what is hidden comes after so many requests. */
const BETWEEN = 40;

const worlds = [await openWorld(), await openWorld()];

async function inBoth<Result>(work: (world: World, index: number) => Promise<Result>): Promise<Result[]> {
  return Promise.all(worlds.map(work));
}

/** He does not change his own rights; how large the store is and what alarms the clock has raised is no data of these worlds. */
const ALWAYS: readonly RuleText[] = [
  ['create update delete', 'deny', '/nacm:nacm'],
  ['*', 'deny', '/gi:store'],
  ['*', 'deny', '/al:alarms/al:alarm-list'],
  ['*', 'deny', '/al:alarms/al:summary'],
];

/** Nothing of the hidden places, else everything read; some may write the rest as well. */
function rulesFor(next: () => number, places: readonly HiddenPlace[]): RuleText[] {
  const denials = places.flatMap(({ paths }) => paths.map((path): RuleText => ['*', 'deny', path]));
  const others: RuleText[] = next() % 2 ? [['*', 'permit']] : [['read exec', 'permit']];
  return [...denials, ...ALWAYS, ...others];
}

/** With nothing that both worlds have a container may be there for what is hidden alone, or not. */
function somePlaces(next: () => number, isBare: boolean): HiddenPlace[] {
  const places = HIDDEN_PLACES.filter(({ standsAlone }) => standsAlone || !isBare);
  const first = places[next() % places.length];
  const more = places.filter((place) => place !== first && next() % 4 === 0);
  return first ? [first, ...more] : more;
}

/** A change that all may see, another one each time. */
const last = (number: number): string =>
  edit(
    `<alarms xmlns="urn:ietf:params:xml:ns:yang:ietf-alarms"><control><notify-status-changes>${number % 2 ? 'raise-and-clear' : 'all-state-changes'}</notify-status-changes></control></alarms>`,
  );
const SUBSCRIBE = '<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>';

/** All notifications up to one about a change that all may see, without their times. */
async function notifications(subscriber: RawClient): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const message = plain(await subscriber.receive());
    if (message === '') throw new Error('the subscriber was cut off');
    if (!BY_THE_CLOCK.test(message)) found.push(message);
    if (message.includes(LAST_MARK)) return found;
  }
}

async function round(roundSeed: number): Promise<string> {
  const next = random(roundSeed);
  const isBare = next() % 3 === 0;
  const places = somePlaces(next, isBare);
  const rules = rulesFor(next, places);
  // What each world has comes from numbers of its own.
  const own = worlds.map((_, index) => random(roundSeed ^ (0x51ed270b * (index + 1))));
  const contents = (index: number) => places.map(({ content }) => content(own[index] ?? next));
  const common = isBare ? '' : commonConfiguration();
  const [oldest = 0] = await inBoth((world, index) =>
    begin(world, rules, [...contents(index), ...contents(index)], common),
  );
  let newest = await newestVersion(worlds[0] as World);
  const guests = await inBoth((world) => guestOf(world));
  const subscribers = await inBoth((world) => guestOf(world));
  const paths = [randomStream(next), randomStream(next)];
  const streams = await inBoth((world) => Promise.all(paths.map((path) => openWorldStream(world, path))));
  let isGood = 0;
  try {
    for (const client of subscribers) assert.is(outcome(await client.rpc(SUBSCRIBE)), 'ok');
    for (let sent = 0; sent < REQUESTS; sent++) {
      const asked = probingRequest(next, oldest, newest);
      const answers = await inBoth((world, index) => answer(world, guests[index] as RawClient, asked));
      sameAnswers(roundSeed, asked, answers);
      if (/<ok\/>|<data|^20\d/.test(answers[0] ?? '')) isGood++;
      if (sent % BETWEEN !== BETWEEN - 1) continue;
      // Locks of the guest end with the requests before.
      const told = await inBoth(async (world, index) => {
        guests[index]?.end();
        guests[index] = await guestOf(world);
        await freed(world);
        for (const content of contents(index)) await hide(world, content);
        await done(world, SAVE, last(++world.marks.last));
        const received = await Promise.all((streams[index] ?? []).map((stream) => stream.untilMark()));
        return [(await notifications(subscribers[index] as RawClient)).join('\n'), ...received];
      });
      for (const [at, what] of ['notifications', ...paths].entries())
        sameAnswers(
          roundSeed,
          what,
          told.map((texts) => texts[at] ?? ''),
        );
      newest = await newestVersion(worlds[0] as World);
    }
  } finally {
    for (const client of [...guests, ...subscribers, ...streams.flat()]) client.end();
    await inBoth(freed);
  }
  return `${isBare ? 'bare, ' : ''}${places.map(({ name }) => name).join(', ')}: ${isGood} of ${REQUESTS}`;
}

/** Until the recovery session can have the locks that a session that ended had. */
async function freed(world: World): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const replies: string[] = [];
    for (const operation of ['lock', 'unlock']) {
      for (const name of ['candidate', 'running', 'startup']) {
        const reply = await world.root.rpc(`<${operation}><target><${name}/></target></${operation}>`);
        replies.push(outcome(reply));
        if (name === 'candidate' && operation === 'lock' && outcome(reply) !== 'ok')
          await world.root.rpc('<discard-changes/>');
      }
    }
    if (replies.every((reply) => reply === 'ok')) return done(world, '<discard-changes/>');
    await world.root.rpc('<cancel-commit/>');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the locks of a session that ended were not freed');
}

for (let number = 0; number < ROUNDS; number++) {
  const roundSeed = (seed + Math.imul(number, 0x9e3779b1)) >>> 0;
  test(`round of seed ${roundSeed}`, async () => {
    const what = await round(roundSeed);
    if (process.env.GI4OVER6_ROUNDS) console.log(what);
  });
}

test('both end with code 0', async () => {
  assert.equal(await inBoth(closeWorld), [0, 0]);
});

test.run();
