// Builds dist/ from the hand-written sources. Needs `npm ci` once; shops and the collector need neither node nor this.
//
//   node build.mjs            write dist/
//   node build.mjs --check    fail unless dist/ is what the sources give, byte for byte
//   node build.mjs --sizes    print what each file weighs
//   node build.mjs --release  keep this build in dist/released, where the collector serves it under its hash for good

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { minify_sync } from 'terser';

const HARD_LIMIT = 2048; // bytes of cnct.js in brotli: each byte is paid by every shopper
const here = name => new URL(name, import.meta.url);
const dist = name => here(`dist/${name}`);
const extras = readdirSync(here('extras')).sort().map(name => `extras/${name}`);

// Nothing is lowered: the sources are ES2017 themselves, which a test holds. Statements left apart pack better than terser's joined returns.
const minify = name => Buffer.from(
  minify_sync(readFileSync(here(name), 'utf8'), { ecma: 2017, compress: { if_return: false, unused: false } }).code
);
const gzip = bytes => gzipSync(bytes, { level: 9 });
const brotli = bytes => brotliCompressSync(bytes, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_LGWIN]: 16,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  },
});
const digest = (algorithm, encoding, bytes) => createHash(algorithm).update(bytes).digest(encoding);

function build() {
  const script = minify('cnct.js');
  const packed = { 'cnct.js.gz': gzip(script), 'cnct.js.br': brotli(script) };
  const manifest = {
    file: 'cnct.js',
    hash: digest('sha256', 'hex', script).slice(0, 12), // the address /cnct.<hash>.js never changes what it holds
    integrity: `sha384-${digest('sha384', 'base64', script)}`,
    bytes: script.length,
    gzip: packed['cnct.js.gz'].length,
    brotli: packed['cnct.js.br'].length,
  };
  if (manifest.brotli > HARD_LIMIT) throw new Error(`cnct.js weighs ${manifest.brotli} bytes in brotli; ${HARD_LIMIT} is the limit`);
  const plain = { 'cnct.js': script, 'manifest.json': Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`) };
  for (const name of extras) plain[name] = minify(name);
  return { plain, packed };
}

function check({ plain, packed }) {
  const stale = Object.keys(plain).filter(name => !plain[name].equals(readFileSync(dist(name))));
  // Another release of node may pack differently: what counts is what comes out.
  const unpack = { gz: gunzipSync, br: brotliDecompressSync };
  stale.push(...Object.keys(packed).filter(name => !plain['cnct.js'].equals(unpack[name.slice(-2)](readFileSync(dist(name))))));
  if (stale.length) throw new Error(`dist/ is not what the sources give: ${stale.join(', ')}; run node build.mjs`);
}

function sizes() {
  const rows = ['cnct.js', 'stub.js', ...extras].map(name => {
    const bytes = name === 'stub.js' ? readFileSync(here(name)) : minify(name); // the stub is small as it stands
    return { file: name, bytes: bytes.length, gzip: gzip(bytes).length, brotli: brotli(bytes).length };
  });
  for (const row of [{ file: 'file', bytes: 'bytes', gzip: 'gzip', brotli: 'brotli' }, ...rows]) {
    console.log(row.file.padEnd(32), ...[row.bytes, row.gzip, row.brotli].map(cell => String(cell).padStart(7)));
  }
}

function write({ plain, packed }) {
  mkdirSync(dist('extras'), { recursive: true });
  for (const [name, bytes] of Object.entries({ ...plain, ...packed })) writeFileSync(dist(name), bytes);
}

// A release stays reachable under its hash for good: shops pin it with Subresource Integrity.
function release({ plain, packed }) {
  const { hash } = JSON.parse(plain['manifest.json']);
  mkdirSync(dist('released'), { recursive: true });
  for (const [name, bytes] of Object.entries({ 'cnct.js': plain['cnct.js'], ...packed })) {
    writeFileSync(dist(`released/${name.replace('cnct.', `cnct.${hash}.`)}`), bytes);
  }
}

const [task] = process.argv.slice(2);
try {
  if (task === '--sizes') sizes();
  else if (task === '--check') check(build());
  else if (task === '--release') release(build());
  else write(build());
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
