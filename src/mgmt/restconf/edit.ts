/**
 * POST, PUT, PATCH and DELETE of a datastore and of data resources (RFC 8040 §4.4 to §4.7). Each is one edit of
 * running, or of the candidate where that is named, so one transaction:
 *
 *   1. the body becomes a tree, hung into the way down to the target, with one operation on the target
 *   2. when the edit's turn has come, what is there is read
 *   3. the edit is made, and comes to nothing where others hold what it changes, or a precondition is false
 */

import type { DataNode } from '../../state/data.ts';
import { ManagementError } from '../../state/errors.ts';
import type { Caller, Edition, EditRequest } from '../../state/request.ts';
import type { Schema, SchemaNode } from '../../state/schema.ts';
import type { RestconfOperations } from './backend.ts';
import type { LongBody } from './body.ts';
import { readBody } from './body.ts';
import { requireConditions } from './conditions.ts';
import { datastorePath, editTarget, hasTag, tagHeaders } from './datastore-resource.ts';
import { badRequest, notFound } from './fault.ts';
import type { Query } from './query.ts';
import type { Reply } from './reply.ts';
import { RESTCONF_NAMESPACE } from './reply.ts';
import type { RestconfRequest } from './request.ts';
import { datastoreOf, ROOT } from './request.ts';
import { lookAt, onlyChild, placeAt, requireTarget } from './resource-edit.ts';
import type { PathStep } from './resource-path.ts';
import { parseDataPath, printDataPath, stepsTo } from './resource-path.ts';
import { buildPath } from './target.ts';

const DATA_WRAPPER = { name: 'data', module: 'ietf-restconf', namespace: RESTCONF_NAMESPACE };

/** What one request wants, before anything is read. */
interface Plan {
  readonly edit: Pick<EditRequest, 'tree' | 'defaultOperation'>;
  /** The resource that preconditions are about. */
  readonly target: readonly PathStep[];
  /** Whether the target must be there already. */
  readonly mustExist: boolean;
  /** Steps to the created resource, for Location. */
  readonly created?: readonly PathStep[];
  /** A key that was to be created: an entry has its keys as long as it is there. */
  readonly taken?: SchemaNode;
}

export class Editor {
  readonly #operations: RestconfOperations;

  constructor(operations: RestconfOperations) {
    this.#operations = operations;
  }

  /**
   * 201 with Location, or 204; with the new entity-tag.
   * @throws ManagementError for all reasons to refuse the body, the target, a precondition, the edit
   */
  async edit(caller: Caller, request: RestconfRequest, body: Uint8Array | LongBody): Promise<Reply> {
    const plan = await this.#plan(request, body);
    let existed = false;
    const precondition = async () => {
      const found = await this.#find(caller, request, plan);
      existed = found.exists;
      return found.requireConditions;
    };
    const { comment } = request;
    const ds = datastoreOf(request.resource);
    const target = editTarget(ds);
    const edit = { target, ...plan.edit, comment, precondition } as const;
    const headers = tagHeaders(ds, await this.#make(caller, edit, plan), request.replyEncoding);
    if (request.method === 'POST' || (request.method === 'PUT' && !existed)) {
      const location = `${request.origin}${ROOT}/${datastorePath(ds)}${printDataPath(plan.created ?? [])}`;
      return { status: 201, headers: { ...headers, location } };
    }
    return { status: 204, headers };
  }

  /** @throws ManagementError of the edit, about the key where one was to be created */
  async #make(caller: Caller, edit: EditRequest, { target, taken }: Plan): Promise<Edition> {
    try {
      return await this.#operations.edit(caller, edit);
    } catch (error) {
      const isTaken = taken && error instanceof ManagementError && error.tag === 'data-exists';
      throw isTaken ? keyExists(target, taken, this.#operations.schema) : error;
    }
  }

  async #plan(request: RestconfRequest, body: Uint8Array | LongBody): Promise<Plan> {
    const steps = request.resource.kind === 'data' ? request.resource.steps : [];
    if (request.method === 'POST') return this.#create(request, steps, body);
    if (request.method === 'DELETE') {
      const { root, last } = buildPath(this.#operations.schema, steps);
      last.operation = 'delete';
      return { edit: { tree: root, defaultOperation: 'none' }, target: steps, mustExist: true };
    }
    const operation = request.method === 'PUT' ? 'replace' : 'merge';
    if (steps.length > 0) return this.#write(request, steps, body, operation);
    const parent = this.#operations.schema.root;
    const shape = { parent, path: '', wrapper: DATA_WRAPPER };
    const tree = await readBody(body, request.bodyEncoding, this.#operations, shape);
    return { edit: { tree, defaultOperation: operation }, target: [], mustExist: true };
  }

  /** §4.4.1: the body holds one child of the target. */
  async #create(request: RestconfRequest, steps: readonly PathStep[], body: Uint8Array | LongBody): Promise<Plan> {
    const { root, last } = buildPath(this.#operations.schema, steps);
    const child = await this.#single(request, last, body);
    if (child.schema.isKey) {
      last.operation = 'create';
      return { edit: { tree: root, defaultOperation: 'none' }, target: steps, mustExist: true, taken: child.schema };
    }
    child.operation = 'create';
    this.#place(child, request.query, steps);
    last.add(child);
    const created = stepsTo(child);
    return { edit: { tree: root, defaultOperation: 'none' }, target: steps, mustExist: true, created };
  }

  /** §4.5, §4.6.1: the body holds the target itself. */
  async #write(
    request: RestconfRequest,
    steps: readonly PathStep[],
    body: Uint8Array | LongBody,
    operation: 'replace' | 'merge',
  ): Promise<Plan> {
    const { root, last: parent } = buildPath(this.#operations.schema, steps.slice(0, -1));
    const child = await this.#single(request, parent, body);
    requireTarget(child, steps);
    child.operation = operation;
    this.#place(child, request.query, steps.slice(0, -1));
    parent.add(child);
    return {
      edit: { tree: root, defaultOperation: 'none' },
      target: steps,
      mustExist: operation === 'merge',
      created: steps,
    };
  }

  async #single(request: RestconfRequest, parent: DataNode, body: Uint8Array | LongBody): Promise<DataNode> {
    const shape = { parent: parent.schema, path: parent.path };
    return onlyChild(await readBody(body, request.bodyEncoding, this.#operations, shape));
  }

  /** insert and point, §4.8.5 and §4.8.6; `parents` lead to the node that holds the child. */
  #place(child: DataNode, { insert, point }: Query, parents: readonly PathStep[]): void {
    if (insert === undefined) return;
    if (point !== undefined && !point.startsWith('/')) {
      throw badRequest(`point=${point}: expected a path that begins with '/'`);
    }
    const { schema, check } = this.#operations;
    const beside = point === undefined ? undefined : parseDataPath(point.slice(1).split('/'), schema, check).steps;
    placeAt(child, insert, beside, parents);
  }

  /** Whether the target is there, and what throws when a condition fails. @throws RestconfFault 404 for what is not there and must be */
  async #find(
    caller: Caller,
    { conditions, method, resource }: RestconfRequest,
    plan: Plan,
  ): Promise<{ readonly exists: boolean; readonly requireConditions: () => void }> {
    const ds = datastoreOf(resource);
    const look = (steps: readonly PathStep[]) => lookAt(this.#operations, caller, steps, editTarget(ds));
    const { exists, ...edition } = await look(plan.target);
    const isImplied = isImplicit(plan.target.at(-1)) && method !== 'DELETE';
    if (!exists && plan.mustExist && !isImplied) throw notFound(`there is no ${printDataPath(plan.target)}`);
    const parent = holderOf(plan.target);
    if (!exists && !(await look(parent)).exists) throw notFound(`there is no ${printDataPath(parent)} to hold it`);
    return { exists, requireConditions: () => requireConditions(conditions, hasTag(ds) ? edition : undefined, exists) };
  }
}

/** Whether a step is to a container without presence, which is there with what holds it (RFC 7950 §7.5.1). */
function isImplicit(step: PathStep | undefined): boolean {
  return step?.schema.kind === 'container' && !step.schema.presence;
}

/** §4.4.1, of a key of an entry. */
function keyExists(entry: readonly PathStep[], { name }: SchemaNode, schema: Schema): ManagementError {
  const path = `${buildPath(schema, entry).last.path}/${name}`;
  return new ManagementError('data-exists', {
    path,
    message: `${path} exists already: an entry is made with its keys`,
  });
}

/** The nearest node around a target that must be there for it to be made. */
function holderOf(target: readonly PathStep[]): readonly PathStep[] {
  const holder = target.slice(0, -1);
  while (isImplicit(holder.at(-1))) holder.pop();
  return holder;
}
