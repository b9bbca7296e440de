// The wasm core and the digits, unpacked from core.js; nothing here touches the page.
'use strict';

const Engine = (() => {
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

  // Values of a gzipped IDX file: what follows the header of 4 bytes and 4 more for each dimension.
  async function idx(base64) {
    const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream('gzip'));
    const file = new Uint8Array(await new Response(stream).arrayBuffer());
    return file.subarray(4 + 4 * file[3]);
  }

  async function start() {
    const { instance } = await WebAssembly.instantiate(bytes(SAM_CORE.wasm), {});
    const core = instance.exports;
    const parts = ['trainImages', 'testImages', 'trainLabels', 'testLabels'];
    const [trainImages, testImages, trainLabels, testLabels] = await Promise.all(
      parts.map((part) => idx(SAM_CORE.digits[part])));
    const memory = () => new Uint8Array(core.memory.buffer);
    for (const [to, first, second] of [
      [core.digits_images(), trainImages, testImages],
      [core.digits_labels(), trainLabels, testLabels],
    ]) {
      memory().set(first, to);
      memory().set(second, to + first.length);
    }
    return { core, testCount: testLabels.length, trainCount: trainLabels.length };
  }

  return { start };
})();
