// The map: two descents on a surface that the reader shapes.
'use strict';

function valleys({ core }) {
  const X = [-4, 4], Y = [-3, 3], GRID = [160, 120];
  const STEPS = 150, SAM = 1, NEAR = 0.3, LEVEL = 0.1;
  const PRESETS = [
    [{ x: -0.9, y: 0.5, depth: 0.4, width: 0.22 }, { x: 1.3, y: -0.4, depth: 1, width: 2 }],
    [{ x: -1.6, y: 0.4, depth: 1, width: 0.32 }, { x: 1.5, y: -0.3, depth: 0.9, width: 1.1 }],
    [{ x: -1.7, y: 0, depth: 1, width: 0.8 }, { x: 1.7, y: 0, depth: 1, width: 0.8 }],
  ];
  const id = (name) => document.getElementById(name);
  const form = id('walk-controls'), map = id('map'), canvas = id('surface');
  const handles = [id('handle-start'), id('handle-0'), id('handle-1')];
  const number = (name) => Number(form.elements[name].value);
  let start, wells, paths, picture, backdrop, running = true, counted = null, counting = 0;

  function choose(preset) {
    wells = PRESETS[preset].map((well) => ({ ...well }));
    start = { x: -2.6, y: 1.3 };
    wells.forEach((well, i) => {
      form.elements[`width${i}`].value = well.width;
      form.elements[`depth${i}`].value = well.depth;
    });
  }

  // Heights on the grid, as the core computes them.
  function survey() {
    wells.forEach((well, i) => core.well(i, well.x, well.y, well.depth, well.width));
    const at = core.picture(...GRID, X[0], Y[0], X[1], Y[1]);
    picture = new Float32Array(core.memory.buffer, at, GRID[0] * GRID[1]).slice();
    backdrop = null;
  }

  const begin = (slot, method, x, y, seed) => core.walk_start(
    slot, method, x, y, number('lr'), number('momentum'), number('rho'), number('p'), seed);

  function restart() {
    Chart.label(form);
    survey();
    paths = [0, number('method')].map((method, which) => {
      begin(which, method, start.x, start.y, number('seed'));
      return { points: [[start.x, start.y]], losses: [core.loss(start.x, start.y)], up: [start.x, start.y] };
    });
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) while (step());
    pause(false);
    counted = null;
    clearTimeout(counting);
    counting = setTimeout(census, 150);
    draw();
  }

  // One step of both; whether there was one.
  function step() {
    if (paths[0].points.length > STEPS) return false;
    paths.forEach((path, which) => {
      core.walk_step(which, number('noise'));
      const [x, y, u, v] = [0, 1, 2, 3].map((i) => core.walk_at(which, i));
      path.points.push([x, y]);
      path.losses.push(core.loss(x, y));
      path.up = [u, v];
    });
    return true;
  }

  // Which share of 300 starts all over the map ends in the narrower valley, for both methods.
  function census() {
    counted = [0, number('method')].map((method, which) => {
      const narrow = wells[0].width <= wells[1].width ? wells[0] : wells[1];
      let trapped = 0;
      for (let i = 0; i < 20; i++) {
        for (let j = 0; j < 15; j++) {
          const slot = 2 + which;
          begin(slot, method, X[0] + (X[1] - X[0]) * (i + 0.5) / 20, Y[0] + (Y[1] - Y[0]) * (j + 0.5) / 15, 1 + 15 * i + j);
          for (let n = 0; n < STEPS; n++) core.walk_step(slot, number('noise'));
          const [x, y] = [core.walk_at(slot, 0), core.walk_at(slot, 1)];
          if (Math.hypot(x - narrow.x, y - narrow.y) < 1.5 * narrow.width) trapped++;
        }
      }
      return trapped / 300;
    });
    table();
  }

  // ---- drawing

  const rgb = (name) => {
    const value = Chart.colour(name);
    const hex = value.length === 4 ? value.replace(/[0-9a-f]/gi, '$&$&') : value;
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  };

  function draw() {
    const { context, width, height } = Chart.surface(canvas);
    if (!width) return;
    const px = (x) => (x - X[0]) / (X[1] - X[0]) * width;
    const py = (y) => (Y[1] - y) / (Y[1] - Y[0]) * height;
    // Drawn once for each shape, size and set of colours: far more work than the paths.
    const look = [canvas.width, canvas.height, Chart.colour('high')].join();
    if (backdrop?.look !== look) {
      relief(context, width, height);
      contours(context, px, py);
      axes(context, width, height, px, py);
      backdrop = new OffscreenCanvas(canvas.width, canvas.height);
      backdrop.look = look;
      backdrop.getContext('2d').drawImage(canvas, 0, 0);
    } else {
      context.drawImage(backdrop, 0, 0, width, height);
    }
    paths.forEach((path, which) => {
      const name = which === SAM ? 'sam' : 'sgd';
      context.strokeStyle = context.fillStyle = Chart.colour(name);
      context.lineWidth = 2;
      context.lineJoin = 'round';
      context.beginPath();
      for (const [x, y] of path.points) context.lineTo(px(x), py(y));
      context.stroke();
      const [x, y] = path.points.at(-1);
      // Round the point that the latest step was taken from: `up` is what it climbed to.
      if (which === SAM) ball(context, px, py, path.points.at(-2) ?? [x, y], path.up);
      context.beginPath();
      context.arc(px(x), py(y), 5, 0, 2 * Math.PI);
      context.fill();
    });
    [start, ...wells].forEach((place, i) => {
      handles[i].style.left = `${px(place.x)}px`;
      handles[i].style.top = `${py(place.y)}px`;
    });
    lossChart();
    table();
  }

  function relief(context, width, height) {
    const [low, high] = [rgb('low'), rgb('high')];
    const [least, most] = [Math.min(...picture), Math.max(...picture)];
    const image = new ImageData(...GRID);
    for (let row = 0; row < GRID[1]; row++) {
      for (let column = 0; column < GRID[0]; column++) {
        // The picture's rows go up, the screen's go down.
        const share = (picture[(GRID[1] - 1 - row) * GRID[0] + column] - least) / (most - least || 1);
        const at = 4 * (row * GRID[0] + column);
        for (let c = 0; c < 3; c++) image.data[at + c] = low[c] + (high[c] - low[c]) * share;
        image.data[at + 3] = 255;
      }
    }
    const small = new OffscreenCanvas(...GRID);
    small.getContext('2d').putImageData(image, 0, 0);
    context.imageSmoothingQuality = 'high';
    context.drawImage(small, 0, 0, width, height);
  }

  // Marching squares: the segments where each level crosses the grid's cells.
  function contours(context, px, py) {
    const x = (i) => X[0] + (X[1] - X[0]) * (i + 0.5) / GRID[0];
    const y = (j) => Y[0] + (Y[1] - Y[0]) * (j + 0.5) / GRID[1];
    const at = (i, j) => picture[j * GRID[0] + i];
    context.strokeStyle = Chart.colour('contour');
    context.lineWidth = 0.75;
    context.globalAlpha = 0.6;
    context.beginPath();
    for (let j = 0; j + 1 < GRID[1]; j++) {
      for (let i = 0; i + 1 < GRID[0]; i++) {
        const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
        const heights = corners.map(([i, j]) => at(i, j) / LEVEL);
        for (let level = Math.ceil(Math.min(...heights)); level < Math.max(...heights); level++) {
          const crossings = [];
          for (let k = 0; k < 4; k++) {
            const [a, b] = [heights[k] - level, heights[(k + 1) % 4] - level];
            if ((a < 0) === (b < 0)) continue;
            const [from, to, t] = [corners[k], corners[(k + 1) % 4], a / (a - b)];
            crossings.push([px(x(from[0] + (to[0] - from[0]) * t)), py(y(from[1] + (to[1] - from[1]) * t))]);
          }
          for (let k = 0; k + 1 < crossings.length; k += 2) {
            context.moveTo(...crossings[k]);
            context.lineTo(...crossings[k + 1]);
          }
        }
      }
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function axes(context, width, height, px, py) {
    context.font = '12px system-ui, "DejaVu Sans", sans-serif';
    context.fillStyle = Chart.colour('quiet');
    context.textAlign = 'center';
    context.textBaseline = 'bottom';
    for (let x = -3; x <= 3; x++) context.fillText(x, px(x), height - 4);
    context.fillText('w₁', width - 14, height - 4);
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    for (let y = -2; y <= 2; y++) context.fillText(y, 6, py(y));
    context.fillText('w₂', 6, 14);
  }

  // The ball that SAM climbs in, and where in it the gradient was taken.
  function ball(context, px, py, [x, y], [u, v]) {
    const [rho, p] = [number('rho'), number('p')];
    context.save();
    context.lineWidth = 1.25;
    context.setLineDash([4, 3]);
    // ASAM's ball has the shape of the weights.
    const [sx, sy] = number('method') === 2 ? [Math.abs(x) + 0.01, Math.abs(y) + 0.01] : [1, 1];
    context.beginPath();
    for (let i = 0; i < 96; i++) {
      const angle = i / 96 * 2 * Math.PI;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const norm = p === Infinity ? Math.max(Math.abs(c), Math.abs(s)) : (Math.abs(c) ** p + Math.abs(s) ** p) ** (1 / p);
      context.lineTo(px(x + rho * sx * c / norm), py(y + rho * sy * s / norm));
    }
    context.closePath();
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.arc(px(u), py(v), 4, 0, 2 * Math.PI);
    context.stroke();
    context.restore();
  }

  function lossChart() {
    const all = paths.flatMap((path) => path.losses);
    const low = Math.floor(Math.min(...all) * 5) / 5, high = Math.ceil(Math.max(...all) * 5) / 5;
    Chart.draw(id('walk-chart'),
      paths.map((path, which) => ({
        colour: which === SAM ? 'sam' : 'sgd',
        points: path.losses.map((loss, step) => [step, loss]),
      })),
      { label: 'step', low: 0, high: STEPS },
      { label: 'loss', low, high: Math.max(high, low + 0.2) });
  }

  function table() {
    paths.forEach((path, which) => {
      const cells = id('walk-table').tBodies[0].rows[which].cells;
      const [x, y] = path.points.at(-1);
      const share = (value) => `${(100 * value).toFixed(1)} %`;
      [
        path.points.length - 1,
        path.losses.at(-1).toFixed(4),
        core.sharpness(x, y, NEAR).toFixed(4),
        counted ? share(counted[which]) : '…',
      ].forEach((text, i) => { cells[i + 1].textContent = text; });
    });
  }

  // ---- controls

  function pause(now) {
    running = !now;
    id('walk-run').textContent = now ? 'Run' : 'Pause';
  }

  function move(i, x, y) {
    const inside = (value, [low, high]) => Math.min(Math.max(value, low + 0.1), high - 0.1);
    Object.assign([start, ...wells][i], { x: inside(x, X), y: inside(y, Y) });
    restart();
  }

  handles.forEach((handle, i) => {
    handle.addEventListener('pointerdown', (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.onpointermove = (event) => {
        const box = map.getBoundingClientRect();
        move(i, X[0] + (X[1] - X[0]) * (event.clientX - box.left) / box.width,
          Y[1] - (Y[1] - Y[0]) * (event.clientY - box.top) / box.height);
      };
    });
    handle.addEventListener('lostpointercapture', () => { handle.onpointermove = null; });
    handle.addEventListener('keydown', (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const place = [start, ...wells][i], far = event.shiftKey ? 0.5 : 0.1;
      move(i, place.x + far * way[0], place.y + far * way[1]);
    });
  });
  form.addEventListener('input', (event) => {
    const { name } = event.target;
    if (name === 'preset') choose(number('preset'));
    wells.forEach((well, i) => Object.assign(well, { width: number(`width${i}`), depth: number(`depth${i}`) }));
    restart();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  id('walk-run').addEventListener('click', () => {
    if (paths[0].points.length > STEPS) restart(); else pause(running);
  });
  id('walk-step').addEventListener('click', () => { pause(true); step(); draw(); });
  id('walk-restart').addEventListener('click', restart);

  Chart.watch(canvas, draw);
  choose(0);
  restart();

  let last = 0;
  (function frame(now) {
    // About 40 steps a second, on any screen.
    if (running && now - last > 24) {
      last = now;
      if (step()) draw(); else pause(true);
    }
    requestAnimationFrame(frame);
  })(0);
}
