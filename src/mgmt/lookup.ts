/**
 * Which binding answers for an IPv4 address, now or at a moment on record: of one AFTR, or of every one that ever was. What the caller
 * may not read does not answer.
 */

import { formatIpv4Prefix, formatIpv6, parseIpv4 } from '../address.ts';
import type { Binding } from '../state/binding.generated.ts';
import { DataNode } from '../state/data.ts';
import { ManagementError } from '../state/errors.ts';
import type { HeldBinding, History } from '../state/history.ts';
import { longestMatchAt } from '../state/history.ts';
import { bindingToNode } from '../state/rows.ts';
import type { Schema } from '../state/schema.ts';
import { BINDING_PATH } from '../state/schema.ts';
import type { Rights } from './access.ts';
import type { ActionContext, ActionOutput } from './actions.ts';
import { outputOf, withLeaves } from './actions.ts';
import { orphan } from './defaults.ts';
import { mayReach, nodeOfPath } from './discretion.ts';
import { lookUpPortSet } from './port-set-lookup.ts';
import { withView } from './versions.ts';

/** How far the clock of who asks may be ahead. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Leaves of binding-answer. */
type Answer = Readonly<Record<string, string | undefined>>;

interface Question {
  readonly address: number;
  readonly port: number | undefined;
  readonly time: string | undefined;
}

/** aftr/lookup: the answer of one AFTR; an empty one when nobody has the address. */
export async function lookup(context: ActionContext, action: DataNode, input: DataNode): Promise<ActionOutput> {
  const name = action.parent?.leaf('name') ?? '';
  const answers = await answersOf(context, questionOf(action, input), name);
  return { output: withLeaves(new DataNode(outputOf(action)), answers.get(name) ?? {}) };
}

/** lookup-address: the answers of all AFTRs that have one, those that are gone included. */
export async function lookUpAddress(
  context: ActionContext,
  operation: DataNode,
  input: DataNode,
): Promise<ActionOutput> {
  const output = new DataNode(outputOf(operation));
  const list = output.schema.child('answer');
  if (!list) throw new Error(`${operation.schema.path} has no list in the schema`);
  for (const [aftr, answer] of await answersOf(context, questionOf(operation, input))) {
    output.add(withLeaves(new DataNode(list), { aftr, ...answer }));
  }
  return { output };
}

function questionOf(operation: DataNode, input: DataNode): Question {
  const text = input.leaf('ipv4-address');
  const address = text === undefined ? undefined : parseIpv4(text);
  if (address === undefined) {
    throw new ManagementError('missing-element', {
      path: operation.path,
      message: `${operation.schema.name} needs an ipv4-address`,
      info: { 'bad-element': 'ipv4-address' },
    });
  }
  const port = input.leaf('port');
  return { address, port: port === undefined ? undefined : Number(port), time: input.leaf('time') };
}

/** By AFTR: the longest bound prefix that holds the address, or the port set that has the port. */
async function answersOf(
  { datastores, schema, rights }: ActionContext,
  { address, port, time }: Question,
  aftr?: string,
): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>();
  const version = await withView(datastores.view('running'), ({ history }) => {
    const asked = versionAsked(history, time);
    for (const name of aftr === undefined ? history.aftrs : [aftr]) {
      const readable = rights.readsAll ? undefined : readableEntries(schema, rights, name);
      const found = longestMatchAt(history, asked, name, address, readable && ((binding) => readable(binding).isShown));
      if (found) answers.set(name, answerOf(found, readable?.(found.binding)));
    }
    return asked;
  });
  if (aftr !== undefined && answers.size > 0) return answers;
  await withView(datastores.viewVersion(version), ({ tree }) => {
    for (const name of aftr === undefined ? aftrsOf(tree) : [aftr]) {
      const answer = answers.has(name) ? undefined : lookUpPortSet(tree, name, { address, port }, rights);
      if (answer) answers.set(name, answer);
    }
  });
  return answers;
}

function aftrsOf(tree: DataNode): string[] {
  const aftrs = tree.child('softwire', 'gi-4over6')?.entries('aftr') ?? [];
  return aftrs.map((aftr) => aftr.leaf('name') ?? '');
}

/** What of an entry may be read. */
interface Readable {
  readonly isShown: boolean;
  /** Whether no leaf of it could be hidden. */
  readonly isWhole: boolean;
  readonly hidden: readonly string[];
}

/** Tells what a user may read of bindings of an AFTR, which need not be there any more. */
function readableEntries(schema: Schema, rights: Rights, aftr: string): (binding: Binding) => Readable {
  const list = schema.find(BINDING_PATH);
  const table = nodeOfPath(schema, `/gi-4over6:softwire/aftr[name='${aftr}']/binding-table`);
  if (!list || !table) throw new Error(`the schema has no ${BINDING_PATH}`);
  return (binding) => {
    const entry = orphan(bindingToNode(list, binding), table);
    const leaves = [...entry.childMap.values()].filter((leaf) => rights.isHidden(leaf));
    const isWhole = list.children.every((leaf) => rights.readsEvery(leaf, entry));
    return { isShown: mayReach(rights, entry), isWhole, hidden: leaves.map(({ schema: leaf }) => leaf.name) };
  };
}

/** Since when and until when is told where no hidden leaf could have been what changed. */
function answerOf({ binding, since, until }: HeldBinding, readable?: Readable): Answer {
  const answer = wholeAnswer(binding);
  const hidden = readable?.hidden ?? [];
  const shown = Object.entries(answer).filter(([name]) => !hidden.includes(name));
  if (readable && !readable.isWhole) return Object.fromEntries(shown);
  return { ...Object.fromEntries(shown), since: since?.toISOString(), until: until?.toISOString() };
}

function wholeAnswer(binding: Binding): Answer {
  const { gatewayIpv6Address, aftrIpv6Address, description, origin } = binding;
  return {
    'ipv4-prefix': formatIpv4Prefix(binding.address, binding.length),
    'gateway-ipv6-address': formatIpv6(gatewayIpv6Address),
    'aftr-ipv6-address': aftrIpv6Address && formatIpv6(aftrIpv6Address),
    description,
    origin,
  };
}

/**
 * The version of a moment; the newest one without. @throws ManagementError invalid-value when it is not on record, or is to come
 */
function versionAsked(history: History, time: string | undefined): number {
  if (time === undefined) return history.newest;
  const moment = new Date(time);
  if (moment.getTime() > Date.now() + CLOCK_TOLERANCE_MS) {
    const message = `time ${time} is to come: it is ${new Date().toISOString()} here`;
    throw new ManagementError('invalid-value', { message, appTag: 'not-on-record', info: { 'bad-element': 'time' } });
  }
  const gap = history.gapAt(moment);
  if (gap) {
    const message = `time ${time} is not on record: a backup was restored, and what was from ${gap.since} to ${gap.until} is lost`;
    throw new ManagementError('invalid-value', { message, appTag: 'not-on-record', info: { 'bad-element': 'time' } });
  }
  const version = history.versionAt(moment);
  if (version !== undefined) return version;
  const oldest = history.timeOf(history.oldest).toISOString();
  const message = `time ${time} is not on record: what was since ${oldest} is`;
  throw new ManagementError('invalid-value', { message, appTag: 'not-on-record', info: { 'bad-element': 'time' } });
}
