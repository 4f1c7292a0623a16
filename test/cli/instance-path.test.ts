import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pathWithAllModules, pathWithFewModules } from '../../src/cli/instance-path.ts';

/** Paths as values, in XML and in JSON (RFC 7951 §6.11). */
const test = suite('instance-path');

const paths = [
  ['/a:x', '/a:x'],
  ['/a:x/a:y/a:z', '/a:x/y/z'],
  ['/a:x/b:y/b:z/a:w', '/a:x/b:y/z/a:w'],
  ["/a:x[a:k='v']/a:y", "/a:x[k='v']/y"],
  ["/a:x[a:k='/a:y'][a:l=\"it's [a:z]\"]/b:y", "/a:x[k='/a:y'][l=\"it's [a:z]\"]/b:y"],
  ["/a:x[.='a:v']/a:y", "/a:x[.='a:v']/y"],
  ['/', '/'],
] as const;
for (const [xml, json] of paths) {
  test(`${xml} is ${json} in JSON`, () => {
    assert.is(pathWithFewModules(xml), json);
    assert.is(pathWithAllModules(json), xml);
    assert.is(pathWithFewModules(json), json, 'short already');
    assert.is(pathWithAllModules(xml), xml, 'long already');
  });
}

test.run();
