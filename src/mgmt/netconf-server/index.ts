/**
 * netconf-server: libyang 2.1 (YANG types, validation, schema) and libnetconf2 2.0 (NETCONF sessions and messages)
 * through Node-API. The native part is built into build/Release/netconf_server.node.
 */

export { YangContext } from './context.ts';
export { trimMemory } from './native.ts';
export type {
  CheckedValue,
  ContextOptions,
  FaultCode,
  ModuleDump,
  NodeKind,
  SchemaDump,
  SchemaNodeDump,
  ValidationFault,
} from './schema-dump.ts';
export {
  NetconfServer,
  type Rpc,
  type RpcReply,
  type ServerOptions,
  type SessionHandlers,
  type WithDefaultsMode,
} from './server.ts';
