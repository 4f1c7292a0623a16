import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  DROP_REASONS,
  DROP_UNBOUND_SOURCE,
  dropReason,
  dropVerdict,
  FIRST_DROP,
  VERDICTS,
} from '../../src/datapath/verdict.ts';
import { DROP_REASONS as MODEL_REASONS } from '../../src/state/drop-reasons.generated.ts';

const test = suite('verdict');

test('the drop reasons are those of the model, in its order', () => {
  assert.equal(
    DROP_REASONS.map(([name]) => name),
    [...MODEL_REASONS],
  );
});

test('numbers and names of drop reasons belong together', () => {
  for (const [i, [name, sentence]] of DROP_REASONS.entries()) {
    assert.is(dropVerdict(name), FIRST_DROP + i);
    assert.is(dropReason(FIRST_DROP + i), name);
    assert.match(sentence, /^[A-Z].+\.$/);
  }
  assert.is(VERDICTS, FIRST_DROP + DROP_REASONS.length + 1);
  assert.is(dropReason(DROP_UNBOUND_SOURCE), 'no-binding', 'a verdict of its own, not a reason of its own');
  assert.is(dropReason(VERDICTS), '');
});

test.run();
