/** Requests that tests send: an AFTR named `a` with a pool, and what is done to it. */

export const GI = 'xmlns="urn:gi-4over6"';
export const NC_PREFIX = 'xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"';

export const AFTR = `<softwire ${GI}><aftr><name>a</name><ipv6-address>2001:db8:b::1</ipv6-address><ipv4-pool>192.0.2.0/24</ipv4-pool></aftr></softwire>`;

export function table(content: string): string {
  return `<softwire ${GI}><aftr><name>a</name><binding-table>${content}</binding-table></aftr></softwire>`;
}

export function binding(prefix: string, gateway: string, more = ''): string {
  return `<binding${more}><ipv4-prefix>${prefix}</ipv4-prefix><gateway-ipv6-address>${gateway}</gateway-ipv6-address></binding>`;
}

/** `more` are parameters between target and config. */
export function edit(config: string, more = '', target = 'running'): string {
  return `<edit-config><target><${target}/></target>${more}<config>${config}</config></edit-config>`;
}

export function getConfig(filter = '', source = 'running'): string {
  return `<get-config><source><${source}/></source>${filter}</get-config>`;
}

export function lock(target: string, operation = 'lock'): string {
  return `<${operation}><target><${target}/></target></${operation}>`;
}

export function copy(source: string, target: string): string {
  return `<copy-config><target><${target}/></target><source>${source}</source></copy-config>`;
}

export const RESET = edit(`<softwire ${GI} ${NC_PREFIX} nc:operation="remove"/>`);

export function nacm(content: string): string {
  return `<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm" ${NC_PREFIX}>${content}</nacm>`;
}

/** Without the user of ietf-system. */
export function noUser(name: string): string {
  return `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system" ${NC_PREFIX}><authentication><user nc:operation="delete"><name>${name}</name></user></authentication></system>`;
}

/** A user of ietf-system; a password as `$0$` and clear text is kept as its hash. */
export function systemUser(name: string, password: string): string {
  return `<system xmlns="urn:ietf:params:xml:ns:yang:ietf-system"><authentication><user><name>${name}</name><password>${password}</password></user></authentication></system>`;
}
