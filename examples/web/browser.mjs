// Opens the page from its file in a headless Chromium, works it with the keyboard, compares its numbers with the
// host's and takes pictures.
//
//   node browser.mjs CHROMIUM REFERENCE [FOLDER]
//
// REFERENCE is the output of `core/examples/reference.rs`; pictures go to FOLDER.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const [chromium, reference, folder] = process.argv.slice(2);
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'sam-page-'));
const browser = spawn(chromium, [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', `--user-data-dir=${profile}`,
  '--remote-debugging-pipe', 'about:blank',
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });

// The DevTools protocol over two pipes: JSON texts with a zero byte after each.
const waiting = new Map(), problems = [];
let sent = 0, rest = '';
browser.stdio[4].on('data', (data) => {
  const parts = (rest + data).split('\0');
  rest = parts.pop();
  for (const message of parts.map((part) => JSON.parse(part))) {
    if (message.id) {
      const { resolve, reject } = waiting.get(message.id);
      if (message.error) reject(new Error(message.error.message)); else resolve(message.result);
    } else if (message.method === 'Runtime.exceptionThrown') {
      problems.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
    } else if (message.method === 'Log.entryAdded' && message.params.entry.level === 'error') {
      problems.push(message.params.entry.text);
    }
  }
});
const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
  waiting.set(++sent, { resolve, reject });
  browser.stdio[3].write(`${JSON.stringify({ id: sent, method, params, sessionId })}\0`);
});

try {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  const run = async (expression) => {
    const { result, exceptionDetails } = await page('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
    return result.value;
  };
  const until = async (expression, seconds = 120) => {
    const end = Date.now() + 1000 * seconds;
    while (!await run(expression)) {
      if (Date.now() > end) throw new Error(`expected ${expression} within ${seconds} s, found it false; page problems: ${problems}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const key = async (name) => {
    for (const type of ['keyDown', 'keyUp']) {
      const text = type === 'keyDown' && name === 'Enter' ? '\r' : undefined;
      await page('Input.dispatchKeyEvent', { type, key: name, code: name, text, windowsVirtualKeyCode: { Tab: 9, Enter: 13, ArrowLeft: 37, ArrowRight: 39 }[name] });
    }
  };
  const look = async (width, scheme) => {
    await page('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 });
    await page('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  };
  const picture = async (name) => {
    if (!folder) return;
    await new Promise((resolve) => setTimeout(resolve, 400));
    const { data } = await page('Page.captureScreenshot', { captureBeyondViewport: true });
    fs.writeFileSync(path.join(folder, `${name}.png`), Buffer.from(data, 'base64'));
  };
  const cells = (table) => run(`[...document.querySelectorAll('#${table} tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent))`);
  const set = (form, name, value) => run(`(() => { const field = document.getElementById('${form}').elements['${name}'];
    field.value = '${value}'; field.dispatchEvent(new Event('input', { bubbles: true })); })()`);

  for (const domain of ['Page', 'Runtime', 'Log']) await page(`${domain}.enable`);
  await look(1280, 'light');
  await page('Page.navigate', { url: new URL('page/index.html', import.meta.url).href });
  await until(`document.documentElement?.dataset.ready === 'yes'`);

  // The valleys: both walks come to their end, and SAM seldom in the narrow valley.
  await until(`document.querySelector('#walk-table td').textContent === '150'`);
  await until(`!document.querySelector('#walk-table').textContent.includes('…')`);
  const valleys = await cells('walk-table');
  console.log('valleys', JSON.stringify(valleys));
  const [sgd, sam] = valleys.map((row) => parseFloat(row[4]));
  assert(sam < sgd, `expected SAM to end in the narrow valley less often than ${sgd} %, found ${sam} %`);

  // The keyboard moves the start, and the walks begin anew.
  await run(`document.getElementById('handle-start').focus()`);
  const before = await run(`parseFloat(document.getElementById('handle-start').style.left)`);
  await key('ArrowRight');
  const after = await run(`parseFloat(document.getElementById('handle-start').style.left)`);
  assert(after > before, `expected the start to move right of ${before}, found it at ${after}`);
  await key('ArrowLeft');

  // The pointer drags a valley, 60 pixels to the left and 40 down, and its place follows.
  await run(`document.getElementById('map').scrollIntoView()`);
  const place = () => run(`(() => { const box = document.getElementById('handle-1').getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2]; })()`);
  const [x, y] = await place();
  for (const [type, dx, dy] of [['mousePressed', 0, 0], ['mouseMoved', -30, 20], ['mouseMoved', -60, 40], ['mouseReleased', -60, 40]]) {
    await page('Input.dispatchMouseEvent', { type, x: x + dx, y: y + dy, button: 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1 });
  }
  const [u, v] = await place();
  assert(Math.abs(u - x + 60) < 2 && Math.abs(v - y - 40) < 2, `expected the valley at ${[x - 60, y + 40]}, found it at ${[u, v]}`);
  await set('walk-controls', 'preset', 0);

  // The digits: started with the keyboard, they end in the weights that the host ended in.
  const settings = { noise: 0.4, adaptive: 0, rho: 0.2, p: 2, lr: 0.1, epochs: 10, seed: 1 };
  for (const [name, value] of Object.entries(settings)) await set('race-controls', name, value);
  await run(`document.getElementById('race-run').focus()`);
  await key('Enter');
  await until(`document.getElementById('race-state').textContent === 'Done.'`);
  const digits = await cells('race-table');
  console.log('digits', JSON.stringify(digits));
  for (const [run, [, epoch, error, , weights]] of digits.entries()) {
    const host = fs.readFileSync(reference, 'utf8').match(new RegExp(`race ${run}: (\\d+) right, weights (\\w+)`));
    assert.deepEqual([epoch, error, weights], ['10', `${(100 * (1 - host[1] / 597)).toFixed(2)} %`, host[2]]);
  }

  await set('race-controls', 'epochs', 40);
  await run(`document.getElementById('race-run').click()`);
  await until(`document.getElementById('race-state').textContent === 'Done.'`);
  console.log('digits, 40 epochs', JSON.stringify(await cells('race-table')));
  await until(`document.querySelector('#walk-table td').textContent === '150'`);
  for (const [width, scheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']]) {
    await look(width, scheme);
    await picture(`${scheme}-${width}`);
    const wide = await run('document.documentElement.scrollWidth');
    assert(wide <= width, `expected nothing wider than the screen of ${width} pixels, found ${wide}`);
  }
  await look(1280, 'light');
  for (const method of [2, 3, 4, 5, 6, 7, 1]) {
    await set('walk-controls', 'method', method);
    await until(`document.querySelector('#walk-table td').textContent === '150'`);
    const [, [, , loss]] = await cells('walk-table');
    assert(Number.isFinite(Number(loss)), `variant ${method}: expected a loss, found ${loss}`);
  }
  assert.deepEqual(problems, []);
  // No script but the page's own runs, and nothing is loaded from elsewhere.
  const refused = await run(`new Promise((resolve) => {
    const found = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      found.push(event.effectiveDirective);
      if (found.length === 2) resolve(found.sort());
    });
    document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.planted = true' }));
    document.body.append(Object.assign(new Image(), { src: 'http://localhost/planted.png' }));
    setTimeout(() => resolve(found), 5000);
  })`);
  assert.deepEqual([refused, await run('window.planted')], [['img-src', 'script-src-elem'], undefined]);
  console.log('the page works');
} finally {
  browser.kill();
  await once(browser, 'exit');
  fs.rmSync(profile, { recursive: true, force: true });
}
