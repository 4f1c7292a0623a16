/**
 * The management process: builds the faces, the operations and the datastores and wires them.
 *
 *   1. schema from libyang        4. operations over both
 *   2. datastores over the store  5. NETCONF on SSH and the local socket, RESTCONF on HTTPS
 *   3. the datapath as participant of each commit
 */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { trimMemory, YangContext } from 'netconf-server';
import type { Log } from '../log.ts';
import { openLog } from '../log.ts';
import { NETCONF_LIMITS, type NetconfLimits } from '../netconf-limits.ts';
import { RESTCONF_LIMITS, type RestconfLimits } from '../restconf-limits.ts';
import { Datastores } from '../state/datastores.ts';
import { treeFromJson } from '../state/json.ts';
import { Schema } from '../state/schema.ts';
import { markClosed, markOpen, storeDir, storeState } from '../state/store-files.ts';
import { AccessControl } from './access.ts';
import { alarmOperations } from './alarms/alarm-operations.ts';
import { AlarmWatch } from './alarms/alarm-watch.ts';
import { Backups } from './backups.ts';
import { CallHome } from './call-home/call-home.ts';
import { CertificateUsers } from './certificate-users.ts';
import { ConfigFiles } from './config-files.ts';
import { DatapathClient } from './datapath-client.ts';
import { datapathOperations } from './datapath-operations.ts';
import { readsForwarding, readsTables } from './discretion.ts';
import { EventLog } from './events/event-log.ts';
import { KnownServer } from './events/known-server.ts';
import { EventSources } from './events/sources.ts';
import { EventStreams } from './events/streams.ts';
import { FIRST_START_FILE, firstConfiguration } from './first-configuration.ts';
import { readHostKey, readTlsFiles } from './key-files.ts';
import { MemoryCare } from './memory-care.ts';
import { startNetconf } from './netconf/server.ts';
import { Operations } from './operations.ts';
import { startRestconf } from './restconf/server.ts';
import { RoutePart } from './route-part.ts';
import { StateData } from './state-data.ts';
import { storeOperations } from './store-care.ts';
import { StoreWatch } from './store-watch.ts';
import { SystemEnd } from './system-end.ts';
import { Users } from './users.ts';
import { treeValidation, valueCheck } from './validation.ts';
import { verifyCopy } from './verify-copy.ts';
import { YANG_SEARCH_DIRS, type YangModule, yangModules } from './yang-modules.ts';

export interface ManagementOptions {
  readonly stateDir: string;
  readonly runDir: string;
  readonly dhcpv6Dir: string;
  readonly netconfPort: number;
  readonly netconfTlsPort: number;
  readonly restconfPort: number;
  readonly listen: readonly string[];
  readonly startup: boolean;
  readonly writableRunning: boolean;
  /** Of the files that file: URLs name; without it there are none. */
  readonly urlDir?: string | undefined;
  readonly netconfLimit: Partial<NetconfLimits>;
  readonly restconfLimit: Partial<RestconfLimits>;
  /** Modules beside ours, with where their text is; no option of the program. */
  readonly moreYang?: { readonly searchDir: string; readonly modules: readonly YangModule[] };
}

const FORGET_MS = 60 * 60 * 1000;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * Runs until SIGTERM or SIGINT, or until a client asks for the end of the system; returns the exit code.
 * @throws Error with code and a sentence when the environment lacks something.
 */
export async function runManagement(options: ManagementOptions): Promise<number> {
  const log = openLog('management');
  const limits = { ...NETCONF_LIMITS, ...options.netconfLimit };
  const { urlDir } = options;
  const files =
    urlDir === undefined
      ? undefined
      : new ConfigFiles(urlDir, limits.messageOctets, [options.stateDir, options.runDir]);
  const { searchDir, modules = [] } = options.moreYang ?? {};
  const searchDirs = searchDir === undefined ? YANG_SEARCH_DIRS : [...YANG_SEARCH_DIRS, searchDir];
  const context = new YangContext({ searchDirs, modules: [...yangModules(options), ...modules] });
  const schema = new Schema(context.schema());
  // Otherwise it was read whole before this process started.
  const isUnread = storeState(options.stateDir) === 'clean';
  const eventLog = EventLog.open(join(options.stateDir, 'events'), log);
  const events = new EventSources(eventLog);
  const datastores = await openDatastores(options, context, schema, log, events, () => watch.requireWhole());
  const memoryCare = new MemoryCare(datastores, trimMemory);
  const configuration = () => datastores.runningTree;
  const datapath = new DatapathClient(options.runDir, log);
  datastores.addParticipant(datapath);
  datastores.addParticipant(events);
  const users = new Users(configuration);
  const { key, cert, authorities } = readTlsFiles(options.stateDir);
  const restconfLimits = { ...RESTCONF_LIMITS, ...options.restconfLimit };
  const routes = new RoutePart(
    datastores,
    { key, cert },
    {
      stateDir: options.stateDir,
      asksCertificates: authorities !== undefined,
      runDir: options.runDir,
      dhcpv6Dir: options.dhcpv6Dir,
      connections: restconfLimits.connections,
      log,
    },
  );
  datastores.onCommit(({ treeChanged }) => {
    if (treeChanged) users.forget();
  });
  const program = process.argv[1] ?? '';
  const watch = new StoreWatch({ stateDir: options.stateDir, datastores, datapath, log, program });
  const verify = (file: string, signal?: AbortSignal) =>
    verifyCopy(program, file, (damage) => watch.meet(damage), signal);
  const backups = new Backups({ stateDir: options.stateDir, datastores, configuration, log, verify });
  const storeCare = { backups, datastores, verify };
  const systemEnd = new SystemEnd(datastores);
  const file = join(options.stateDir, 'events', 'alarms.json');
  const alarms = new AlarmWatch({
    file,
    datapath,
    datastores,
    configuration,
    watch,
    routes: (steadyMs) => routes.conditions(steadyMs),
    events: eventLog,
    log,
  });
  const access = new AccessControl(configuration);
  const streams = new EventStreams(eventLog, schema, access);
  const check = valueCheck(context);
  const state = {
    schema,
    context,
    datapath,
    storeCare,
    watch,
    denials: access.denials,
    events: streams,
    alarms,
    routes: routes.state,
  };
  const operations = new Operations({
    schema,
    check,
    datastores,
    access,
    events: streams,
    onStartupChanged: (caller) => events.startupChanged(caller),
    state: new StateData(state),
    storeOperations: {
      ...storeOperations(storeCare, (caller) => readsTables(access.rightsOf(caller), schema)),
      ...datapathOperations(datapath, (caller) => readsForwarding(access.rightsOf(caller), schema)),
      ...alarmOperations({ alarms, schema, check, configuration, access }),
      ...systemEnd.operations,
      ...routes.operations((caller, tree) =>
        operations.edit(caller, { target: 'running', tree, defaultOperation: 'merge', testOption: 'test-then-set' }),
      ),
    },
    moduleSource: (name, revision, format) => context.moduleSource(name, revision, format),
  });
  const certificateUsers = authorities && new CertificateUsers({ configuration, users, authorities });
  const known = new KnownServer(join(options.stateDir, 'events'), events, log);
  const { contentId } = context.yangLibrary();
  const netconf = await startNetconf({
    context,
    operations,
    events,
    onCapabilities: (capabilities) => known.greeted(contentId, capabilities),
    users,
    hostKey: readHostKey(options.stateDir),
    tls: certificateUsers && { key, cert, certificateUsers, port: options.netconfTlsPort },
    hosts: options.listen,
    port: options.netconfPort,
    runDir: options.runDir,
    limits,
    files,
    log,
  });
  const restconf = await startRestconf({
    operations,
    users,
    certificateUsers,
    routeSources: routes,
    key,
    cert,
    hosts: options.listen,
    port: options.restconfPort,
    limits: restconfLimits,
    log,
  });
  const { fronts } = netconf;
  const callHome = new CallHome({ configuration, fronts, file: join(options.stateDir, 'call-home.json'), log });
  datastores.onCommit(({ treeChanged }) => {
    if (treeChanged) callHome.follow();
  });
  callHome.follow();
  datastores.onCommit(({ treeChanged, caller }) => {
    if (!treeChanged) return;
    netconf.usersChanged(caller.session);
    restconf.usersChanged();
  });
  await routes.start();
  backups.start();
  watch.start(isUnread);
  alarms.start();
  // Whoever reads that it is ready may end it at once.
  const stopped = stopSignal();
  const ports = { netconf: netconf.port, netconfTls: netconf.tlsPort, restconf: restconf.port };
  log.info({ ...ports, version: datastores.head().version }, 'management is ready');
  const forgetting = setInterval(() => forgetOld(datastores, log), FORGET_MS);
  const code = await Promise.race([stopped, systemEnd.asked]);
  clearInterval(forgetting);
  const backupsClosed = backups.close();
  await routes.close();
  memoryCare.close();
  await alarms.close();
  await Promise.all([callHome.close(), netconf.close(), restconf.close()]);
  await users.close();
  datapath.close();
  await Promise.all([backupsClosed, watch.close()]);
  await datastores.close();
  await eventLog.close();
  // The next start verifies it and says what to do.
  if (!watch.isDamaged) noteClosed(options.stateDir, log);
  context.close();
  log.info({ code }, 'management has stopped');
  return code;
}

async function openDatastores(
  options: ManagementOptions,
  context: YangContext,
  schema: Schema,
  log: Log,
  events: EventSources,
  mayChange: () => void,
): Promise<Datastores> {
  const datastores = await Datastores.open({
    dir: storeDir(options.stateDir),
    onOpen: () => markOpen(options.stateDir),
    mayChange,
    tell: (sentence, error) => log.error({ error: String(error) }, sentence),
    schema,
    validate: treeValidation(context),
    startup: options.startup,
    writableRunning: options.writableRunning,
    bootId: readFileSync(BOOT_ID, 'utf8').trim(),
    initial: () => treeFromJson(schema, firstConfiguration(options.stateDir)),
    onConfirmation: (confirmation) => {
      events.confirmation(confirmation);
      const { event, pending, error } = confirmation;
      const { base, user, session, deadline } = pending;
      const about = { event, base, user, session, deadline };
      if (event === 'failed') log.error({ ...about, error }, 'a confirmed commit could not be taken back: tried again');
      else log.info(about, 'confirmed commit');
    },
  });
  rmSync(join(options.stateDir, FIRST_START_FILE), { force: true });
  datastores.onCommit(({ version, caller, treeChanged, added, changed, removed, ...durations }) => {
    const { user, session, face } = caller;
    const parts = Object.fromEntries(PARTS.map((name) => [name, round(durations[name])]));
    const line = { version, user, session, face, treeChanged, added, changed, removed, ...parts };
    // The answer is made meanwhile; whoever waits for it does not wait for the log.
    setImmediate(() => log.info(line, 'committed'));
  });
  return datastores;
}

/** Where the time of a commit went. */
const PARTS = ['waitMs', 'judgeMs', 'writeMs', 'applyMs'] as const;

/** Without the note the next start reads the whole store. */
function noteClosed(stateDir: string, log: Log): void {
  try {
    markClosed(stateDir);
  } catch (error) {
    log.warn({ error: String(error) }, 'that the store was closed could not be noted: the next start verifies it');
  }
}

/** Milliseconds to two places. */
function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** History has an age limit, also on a device that nobody edits. */
function forgetOld(datastores: Datastores, log: Log): void {
  datastores.forgetOld().catch((error: unknown) => log.error({ error }, 'old history could not be forgotten'));
}

/** A second signal, such as one to the whole process group, must not cut the end short. */
function stopSignal(): Promise<number> {
  return new Promise((resolve) => {
    process.on('SIGTERM', () => resolve(0));
    process.on('SIGINT', () => resolve(0));
  });
}
