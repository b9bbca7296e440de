// The race: SGD and SAM learn the digits side by side.
'use strict';

function race({ core, testCount }) {
  const id = (name) => document.getElementById(name);
  const form = id('race-controls');
  const number = (name) => Number(form.elements[name].value);
  let runs, perEpoch, running = false;

  function restart() {
    Chart.label(form);
    core.race_start(number('seed'), number('epochs'), number('noise'), number('lr'), number('rho'), number('p'),
      number('adaptive') === 1);
    perEpoch = core.race_steps() / number('epochs');
    runs = [0, 1].map((run) => ({ errors: [[0, error(run)]], losses: [], sum: 0, steps: 0 }));
    draw();
  }

  const error = (run) => 100 * (1 - core.race_correct(run) / testCount);
  const epoch = () => runs[0].errors.length - 1;
  const finished = () => epoch() >= number('epochs');

  // Steps of both for some milliseconds, so that the page stays responsive.
  function work(until) {
    while (!finished() && performance.now() < until) {
      runs.forEach((state, run) => {
        state.sum += core.race_step(run);
        state.steps++;
        if (state.steps % perEpoch === 0) {
          const at = state.steps / perEpoch;
          state.losses.push([at, state.sum / perEpoch]);
          state.errors.push([at, error(run)]);
          state.sum = 0;
        }
      });
    }
  }

  function draw() {
    const x = { label: 'epoch', low: 0, high: number('epochs') };
    const colours = ['sgd', 'sam'];
    // The start, at 90 %, would squeeze everything else.
    const errors = runs.map((state) => state.errors.slice(1));
    const largest = (lines, least) => Math.max(least, ...lines.flat().map(([, value]) => value));
    Chart.draw(id('error-chart'), errors.map((points, run) => ({ colour: colours[run], points })), x,
      { label: 'test error', low: 0, high: Math.min(100, Math.ceil(largest(errors, 9) / 10) * 10), unit: ' %' });
    const losses = runs.map((state) => state.losses);
    Chart.draw(id('loss-chart'), losses.map((points, run) => ({ colour: colours[run], points })), x,
      { label: 'training loss', low: 0, high: Math.ceil(largest(losses, 0.5) * 2) / 2 });
    runs.forEach((state, run) => {
      const cells = id('race-table').tBodies[0].rows[run].cells;
      [
        epoch(),
        `${state.errors.at(-1)[1].toFixed(2)} %`,
        state.losses.length ? state.losses.at(-1)[1].toFixed(4) : '–',
        (core.race_digest(run) >>> 0).toString(16).padStart(8, '0'),
      ].forEach((text, i) => { cells[i + 1].textContent = text; });
    });
    id('race-run').textContent = running ? 'Pause' : finished() ? 'Train again' : 'Train';
    id('race-state').textContent = finished() ? 'Done.' : running ? `Epoch ${epoch() + 1} of ${number('epochs')}` : '';
  }

  form.addEventListener('input', () => { restart(); });
  form.addEventListener('submit', (event) => event.preventDefault());
  id('race-run').addEventListener('click', () => {
    if (finished()) restart();
    running = !running;
    draw();
  });
  id('race-restart').addEventListener('click', restart);
  for (const name of ['error-chart', 'loss-chart']) Chart.watch(id(name), draw);
  restart();

  (function frame() {
    if (running) {
      work(performance.now() + 10);
      if (finished()) running = false;
      draw();
    }
    requestAnimationFrame(frame);
  })();
}

Engine.start().then((engine) => {
  valleys(engine);
  race(engine);
  document.getElementById('built').textContent = `Core: ${SAM_CORE.compiler}.`;
  document.documentElement.dataset.ready = 'yes';
}, (failure) => {
  const note = document.createElement('p');
  note.setAttribute('role', 'alert');
  note.textContent = `The page cannot start: ${failure.message}. It needs a browser of 2023 or later, with WebAssembly and `
    + 'DecompressionStream.';
  document.querySelector('main').prepend(note);
});
