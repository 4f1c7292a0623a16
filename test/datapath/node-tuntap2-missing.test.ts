import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('node-tuntap2-missing');

test('without the compiled addon the package loads, and the first use says what to do', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'missing-'));
  try {
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    cpSync(dirname(fileURLToPath(import.meta.resolve('node-tuntap2'))), join(directory, 'dist'), { recursive: true });
    const { TunQueue, Tun } = await import(pathToFileURL(join(directory, 'dist/index.js')).href);
    for (const use of [() => TunQueue.open({ name: 'any0' }), () => new Tun().open()]) {
      assert.throws(
        use,
        (error: Error & { code?: string }) =>
          error.code === 'ADDON_MISSING' && /is not built .*run `npm run build:native`/.test(error.message),
      );
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.run();
