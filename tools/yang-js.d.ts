/** The little of yang-js that tools use: its parse tree. */
declare module 'yang-js' {
  export interface YangStatement {
    readonly kind: string;
    readonly tag: string;
    readonly children?: readonly YangStatement[];
  }
  const Yang: { parse(text: string, options: { compile: false }): YangStatement };
  export = Yang;
}
