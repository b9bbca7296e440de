// Lines over labelled axes, in the page's colours.
'use strict';

const Chart = (() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // The canvas's context, in CSS pixels however fine the screen is, and its size.
  function surface(canvas) {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const context = canvas.getContext('2d');
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return { context, width, height };
  }

  // Round numbers from about `low` to `high`, at most `most` of them.
  function ticks(low, high, most) {
    const raw = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((n) => n * power).find((step) => step >= raw * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first;
    return Array.from({ length: count + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  }

  // series: [{ colour, points: [[x, y], ...] }]; x and y: { label, low, high, unit }
  function draw(canvas, series, x, y) {
    const { context, width, height } = surface(canvas);
    const box = { left: 62, right: width - 14, top: 14, bottom: height - 40 };
    const px = (value) => box.left + (value - x.low) / (x.high - x.low) * (box.right - box.left);
    const py = (value) => box.bottom - (value - y.low) / (y.high - y.low) * (box.bottom - box.top);
    context.font = '12px system-ui, "DejaVu Sans", sans-serif';
    context.lineWidth = 1;
    context.fillStyle = colour('quiet');
    context.strokeStyle = colour('line');
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    for (const value of ticks(y.low, y.high, Math.max(2, (box.bottom - box.top) / 32))) {
      context.beginPath();
      context.moveTo(box.left, py(value));
      context.lineTo(box.right, py(value));
      context.stroke();
      context.fillText(`${value}${y.unit ?? ''}`, box.left - 8, py(value));
    }
    context.textAlign = 'center';
    context.textBaseline = 'top';
    for (const value of ticks(x.low, x.high, Math.max(2, (box.right - box.left) / 70))) {
      context.fillText(value, px(value), box.bottom + 6);
    }
    context.fillText(x.label, (box.left + box.right) / 2, box.bottom + 22);
    context.save();
    context.translate(14, (box.top + box.bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = 'middle';
    context.fillText(y.label, 0, 0);
    context.restore();
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 2, box.right - box.left + 2, box.bottom - box.top + 4);
    context.clip();
    context.lineWidth = 2;
    context.lineJoin = 'round';
    for (const { colour: name, points } of series) {
      context.strokeStyle = colour(name);
      context.beginPath();
      for (const [a, b] of points) context.lineTo(px(a), py(b));
      context.stroke();
    }
    context.restore();
  }

  // Calls `redraw` whenever the colours or the canvas's size change.
  function watch(canvas, redraw) {
    new ResizeObserver(redraw).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  }

  // Shows every slider's value beside its name.
  function label(form) {
    for (const input of form.querySelectorAll('input[type=range]')) {
      const digits = (input.step.split('.')[1] ?? '').length;
      input.parentElement.querySelector('output').textContent = Number(input.value).toFixed(digits);
    }
  }

  return { colour, surface, draw, watch, label };
})();
