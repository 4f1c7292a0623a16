import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { editionHeaders, entityTag, isUnmodified, requireConditions } from '../../../src/mgmt/restconf/conditions.ts';
import { RestconfFault } from '../../../src/mgmt/restconf/fault.ts';

const test = suite('restconf conditions');

const edition = { version: 7, time: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)) };
const TAG = entityTag(edition, 'json');
const XML_TAG = entityTag(edition, 'xml');
const none = { ifMatch: undefined, ifNoneMatch: undefined, ifModifiedSince: undefined, ifUnmodifiedSince: undefined };

test('headers', () => {
  assert.equal(editionHeaders(edition, 'json'), { etag: TAG, 'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT' });
  assert.is(editionHeaders(edition, 'xml').etag, XML_TAG);
  assert.is(editionHeaders(edition, 'json').etag, TAG);
  assert.is(new Set((['json', 'xml', 'xml-list'] as const).map((form) => entityTag(edition, form))).size, 3);
  assert.is.not(entityTag({ ...edition, version: 8 }, 'json'), TAG);
  assert.is.not(entityTag({ ...edition, time: new Date(0) }, 'json'), TAG);
});

const edits = [
  [{}, true, true, 'no condition'],
  [{ ifMatch: TAG }, true, true, 'the tag'],
  [{ ifMatch: `"x", ${TAG}` }, true, true, 'the tag among others'],
  [{ ifMatch: '"x"' }, true, false, 'another tag'],
  [{ ifMatch: XML_TAG }, true, true, 'the tag of the XML form'],
  [{ ifNoneMatch: XML_TAG }, true, false, 'not the tag of the XML form'],
  [{ ifMatch: `W/${TAG}` }, true, false, 'a weak tag never matches strongly'],
  [{ ifMatch: 'x' }, true, false, 'no tag at all'],
  [{ ifMatch: '*' }, true, true, 'any'],
  [{ ifMatch: '*' }, false, false, 'any, of what is not there'],
  [{ ifMatch: TAG }, false, false, 'the tag, of what is not there'],
  [{ ifNoneMatch: TAG }, false, true, 'not this tag, of what is not there'],
  [{ ifUnmodifiedSince: 'Thu, 01 Jan 2015 00:00:00 GMT' }, false, true, 'a time, of what is not there'],
  [{ ifUnmodifiedSince: '2015-01-01' }, true, true, 'a date that is no HTTP-date'],
  [{ ifUnmodifiedSince: 'Thursday, 01-Jan-15 00:00:00 GMT' }, true, false, 'an old form of dates'],
  [{ ifNoneMatch: '*' }, false, true, 'only when it is not there'],
  [{ ifNoneMatch: '*' }, true, false, 'only when it is not there, but it is'],
  [{ ifNoneMatch: TAG }, true, false, 'not this tag'],
  [{ ifNoneMatch: '"x"' }, true, true, 'not another tag'],
  [{ ifUnmodifiedSince: 'Fri, 02 Jan 2026 03:04:05 GMT' }, true, true, 'the same second'],
  [{ ifUnmodifiedSince: 'Fri, 02 Jan 2026 03:04:04 GMT' }, true, false, 'a second before'],
  [{ ifUnmodifiedSince: 'nonsense' }, true, true, 'no date'],
  [{ ifMatch: TAG, ifUnmodifiedSince: 'Fri, 02 Jan 2026 03:04:04 GMT' }, true, true, 'If-Match goes first'],
] as const;
for (const [conditions, exists, holds, why] of edits) {
  test(`edit: ${why}`, () => {
    try {
      requireConditions({ ...none, ...conditions }, edition, exists);
      assert.ok(holds);
    } catch (error) {
      assert.not.ok(holds, String(error));
      assert.is(error instanceof RestconfFault && error.status, 412);
      assert.is(error instanceof RestconfFault && error.tag, 'operation-failed');
    }
  });
}

const reads = [
  [{}, false],
  [{ ifNoneMatch: TAG }, true],
  [{ ifNoneMatch: `W/${TAG}` }, true],
  [{ ifNoneMatch: '*' }, true],
  [{ ifNoneMatch: XML_TAG }, false],
  [{ ifNoneMatch: '"x"' }, false],
  [{ ifModifiedSince: 'Fri, 02 Jan 2026 03:04:05 GMT' }, true],
  [{ ifModifiedSince: 'Fri, 02 Jan 2026 03:04:04 GMT' }, false],
  [{ ifModifiedSince: '2099' }, false],
  [{ ifModifiedSince: 'Thu Jan  1 00:00:00 2099' }, true],
  [{ ifNoneMatch: '"x"', ifModifiedSince: 'Fri, 02 Jan 2026 03:04:05 GMT' }, false],
] as const;
for (const [conditions, unmodified] of reads) {
  test(`read ${JSON.stringify(conditions)}`, () =>
    assert.is(isUnmodified({ ...none, ...conditions }, edition, 'json'), unmodified));
}

test.run();
