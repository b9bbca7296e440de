// Runs the page's engine and prints what `core/examples/reference.rs` prints; given its output, compares.
//
//   node check.mjs [FILE]
import fs from 'node:fs';
import vm from 'node:vm';

const here = (name) => new URL(`page/${name}`, import.meta.url);
const source = ['core.js', 'engine.js'].map((name) => fs.readFileSync(here(name), 'utf8')).join('\n');
const { Engine } = vm.runInThisContext(`${source}\n;({ Engine })`);
const { core } = await Engine.start();

const lines = [];
const bits = (x) => new BigUint64Array(new Float64Array([x]).buffer)[0].toString(16).padStart(16, '0');
for (let method = 0; method < 8; method++) {
  for (const p of [1, 1.5, 2, Infinity]) {
    core.walk_start(0, method, -2.6, 1.9, 0.1, 0.5, 0.4, p, 7);
    for (let step = 0; step < 60; step++) core.walk_step(0, 0.05);
    lines.push(`walk ${method} ${p === Infinity ? 'inf' : p}: ${bits(core.walk_at(0, 0))} ${bits(core.walk_at(0, 1))}`);
  }
}
core.race_start(1, 10, 0.4, 0.1, 0.2, 2, false);
for (const run of [0, 1]) {
  while (!Number.isNaN(core.race_step(run)));
  lines.push(`race ${run}: ${core.race_correct(run)} right, weights ${(core.race_digest(run) >>> 0).toString(16).padStart(8, '0')}`);
}

const found = `${lines.join('\n')}\n`;
if (!process.argv[2]) {
  process.stdout.write(found);
} else if (fs.readFileSync(process.argv[2], 'utf8') === found) {
  console.log(`WebAssembly gives the host's ${lines.length} results, bit for bit`);
} else {
  console.error(`expected what the host gave, ${process.argv[2]}; found\n${found}`);
  process.exit(1);
}
