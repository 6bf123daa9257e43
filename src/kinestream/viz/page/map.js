// The map: all dots on one canvas, what is marked on another above it, so that hovering redraws a handful of strokes only.
const CELLS = 96;
const REACH = 14;

// Lays the pixels of a symbol over an opaque picture of `w` times `h` pixels: solid ones are set, those of its edge mixed.
function stamp(image, w, h, { size, solid, soft }, left, top) {
  const { data, whole } = image;
  const corner = top * w + left;
  const isInside = left >= 0 && top >= 0 && left + size <= w && top + size <= h;
  const isOutside = (x, y) => left + x < 0 || top + y < 0 || left + x >= w || top + y >= h;
  for (let k = 0; k < solid.offset.length; k++) {
    if (isInside || !isOutside(solid.x[k], solid.y[k])) whole[corner + solid.offset[k]] = solid.colour[k];
  }
  for (let k = 0; k < soft.offset.length; k++) {
    if (!isInside && isOutside(soft.x[k], soft.y[k])) continue;
    const at = 4 * (corner + soft.offset[k]);
    const alpha = soft.rgba[4 * k + 3];
    data[at] += ((soft.rgba[4 * k] - data[at]) * alpha) >> 8;
    data[at + 1] += ((soft.rgba[4 * k + 1] - data[at + 1]) * alpha) >> 8;
    data[at + 2] += ((soft.rgba[4 * k + 2] - data[at + 2]) * alpha) >> 8;
  }
}

// Some pixels of a square of `size`, for a picture `w` pixels wide.
function pixelsOf(data, chosen, size, w) {
  const rgba = new Uint8Array(4 * chosen.length);
  chosen.forEach((i, k) => rgba.set(data.subarray(4 * i, 4 * i + 4), 4 * k));
  const x = Int16Array.from(chosen, (i) => i % size);
  const y = Int16Array.from(chosen, (i) => (i / size) | 0);
  return { x, y, offset: Int32Array.from(chosen, (_, k) => y[k] * w + x[k]), rgba, colour: new Uint32Array(rgba.buffer) };
}

class ClipMap {
  // Told by the page: `isMarked(index)` for a ring around a dot, `words(index)` for what the tip says below the name, and
  // `onLasso(indices, event)` for what was drawn around; without it the lasso is never drawn.
  constructor({ points, marks, tip, onChoose, onFocus, isMarked, words, onLasso }) {
    Object.assign(this, { points, marks, tip, onChoose, onFocus, isMarked, words, onLasso });
    this.isLasso = false;
    this.loop = [];
    this.shown = new Uint8Array(count).fill(1);
    this.hovered = this.focused = this.chosen = -1;
    this.whole();
    this.setLayout(0);
    this.listen();
    new ResizeObserver(() => this.redraw()).observe(points);
  }

  setLayout(number) {
    this.at = layouts[number].points;
    // Cells of a grid over the whole map, each with its dots: what lies under the pointer is found without a search of all.
    const sizes = new Uint32Array(CELLS * CELLS + 1);
    const cell = (i) => Math.min(CELLS - 1, this.at[2 * i] * CELLS | 0) + CELLS * Math.min(CELLS - 1, this.at[2 * i + 1] * CELLS | 0);
    for (let i = 0; i < count; i++) sizes[cell(i) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) sizes[c + 1] += sizes[c];
    this.cellStart = sizes.slice();
    this.cellItems = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.cellItems[sizes[cell(i)]++] = i;
    this.hovered = -1;
    this.redraw();
  }

  whole() {
    this.zoom = 1;
    this.centre = [0.5, 0.5];
    this.redraw();
  }

  // Pixels a map unit, and where the map's origin is.
  measure() {
    const { clientWidth: width, clientHeight: height } = this.points;
    const scale = (Math.min(width, height) - 40) * this.zoom;
    return { width, height, scale, x0: width / 2 - this.centre[0] * scale, y0: height / 2 - this.centre[1] * scale };
  }

  place(index) {
    const { scale, x0, y0 } = this.measure();
    return [x0 + this.at[2 * index] * scale, y0 + this.at[2 * index + 1] * scale];
  }

  zoomBy(factor, x, y) {
    const { width, height, scale, x0, y0 } = this.measure();
    const [px, py] = [x ?? width / 2, y ?? height / 2];
    const [u, v] = [(px - x0) / scale, (py - y0) / scale];
    const zoom = Math.max(0.5, Math.min(200, this.zoom * factor));
    const grown = (scale / this.zoom) * zoom;
    this.zoom = zoom;
    this.centre = [u - (px - width / 2) / grown, v - (py - height / 2) / grown];
    this.redraw();
  }

  panBy(dx, dy) {
    const { scale } = this.measure();
    this.centre = [this.centre[0] - dx / scale, this.centre[1] - dy / scale];
    this.redraw();
  }

  setShown(isShown) {
    for (let i = 0; i < count; i++) this.shown[i] = isShown(i) ? 1 : 0;
    this.redraw();
  }

  // Drawn with the next picture of the screen, however often it is asked for.
  redraw() {
    this.dirty = true;
    this.schedule();
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.dirty) this.drawPoints();
      this.dirty = false;
      this.drawMarks();
    });
  }

  // In whole and half pixels, so that few sizes of symbols are ever painted.
  radius() {
    const base = count > 8000 ? 2.5 : count > 2000 ? 3.5 : 4.5;
    return Math.round(2 * Math.min(9, base * Math.max(1, this.zoom) ** 0.3)) / 2;
  }

  // The pixels of every symbol for a picture `width` pixels wide: painted by the browser on one sheet, two a class (plain,
  // marked), then kept as lists of the pixels that are not empty.
  sprites(width) {
    const ratio = window.devicePixelRatio || 1;
    const key = `${isDark()} ${ratio} ${this.radius()} ${width} ${colouring.name} ${colouring.classes.length}`;
    if (this.spriteKey === key) return this.spriteSet;
    const size = Math.ceil((2 * this.radius() + 5) * ratio);
    const sheet = document.createElement("canvas");
    Object.assign(sheet, { width: size * 2, height: size * colouring.classes.length });
    const context = sheet.getContext("2d", { willReadFrequently: true });
    colouring.classes.forEach((_, label) => {
      const middle = label * size + size / 2;
      for (const marked of [0, 1]) this.paintSymbol(context, symbolFor(label), marked, marked * size + size / 2, middle, ratio);
    });
    const read = (label, marked) => {
      const { data } = context.getImageData(marked * size, label * size, size, size);
      const solid = [];
      const soft = [];
      for (let i = 0; i < size * size; i++) {
        const alpha = data[4 * i + 3];
        if (alpha > 247) solid.push(i);
        else if (alpha > 8) soft.push(i);
      }
      return { size, solid: pixelsOf(data, solid, size, width), soft: pixelsOf(data, soft, size, width) };
    };
    this.spriteKey = key;
    this.spriteSet = { size, of: colouring.classes.map((_, label) => [read(label, 0), read(label, 1)]) };
    return this.spriteSet;
  }

  paintSymbol(context, { shape, filled, light, dark }, marked, x, y, ratio) {
    const style = getComputedStyle(document.documentElement);
    const [ink, paper] = [style.getPropertyValue("--ink"), style.getPropertyValue("--paper")];
    const scale = (this.radius() * 2 * ratio) / 16;
    const path = new Path2D(SHAPE_PATHS[shape]);
    context.save();
    context.translate(x, y);
    context.scale(scale, scale);
    context.translate(-8, -8);
    context.lineJoin = "round";
    if (marked) {
      context.lineWidth = ((this.radius() < 3.5 ? 2.6 : 3.6) * ratio) / scale;
      context.strokeStyle = ink;
      context.stroke(path);
    }
    context.fillStyle = filled ? (isDark() ? dark : light) : paper;
    context.lineWidth = filled ? (0.8 * ratio) / scale : 3.2;
    context.strokeStyle = filled ? paper : isDark() ? dark : light;
    context.fill(path);
    context.stroke(path);
    context.restore();
  }

  // Pixel by pixel into memory, then to the screen at once: with or without a graphics card, 20 000 dots are a few
  // milliseconds, where as many calls of drawImage take hundreds.
  drawPoints() {
    const { context } = sized(this.points);
    const { width: w, height: h } = this.points;
    if (!w || !h) return;
    const { scale, x0, y0 } = this.measure();
    const ratio = window.devicePixelRatio || 1;
    if (!this.image || this.image.width !== w || this.image.height !== h) this.image = context.createImageData(w, h);
    const { data } = this.image;
    const whole = new Uint32Array(data.buffer);
    const paper = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    whole.fill(new Uint32Array(Uint8Array.of(...paper.slice(0, 3), 255).buffer)[0]);
    const picture = { data, whole };
    const { size, of } = this.sprites(w);
    const half = size / 2;
    // Marked ones last: they are few, and what one looks for.
    for (const marked of [0, 1]) {
      for (let i = 0; i < count; i++) {
        if (!this.shown[i] || (this.isMarked(i) ? 1 : 0) !== marked) continue;
        const left = Math.round((x0 + this.at[2 * i] * scale) * ratio - half);
        const top = Math.round((y0 + this.at[2 * i + 1] * scale) * ratio - half);
        if (left <= -size || top <= -size || left >= w || top >= h) continue;
        stamp(picture, w, h, of[labelOf(i)][marked], left, top);
      }
    }
    context.putImageData(this.image, 0, 0);
  }

  drawMarks() {
    const { context, width, height } = sized(this.marks);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const active = this.hovered >= 0 ? this.hovered : this.focused >= 0 ? this.focused : this.chosen;
    context.strokeStyle = style.getPropertyValue("--ink");
    if (active >= 0) {
      const [x, y] = this.place(active);
      for (let k = 0; k < perClip; k++) {
        const neighbour = neighbours[active * perClip + k];
        if (neighbour === active) continue;
        const [nx, ny] = this.place(neighbour);
        context.globalAlpha = 0.55;
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(nx, ny);
        context.stroke();
        context.globalAlpha = 1;
        this.ring(context, nx, ny, 1.2, 3);
      }
    }
    for (const index of new Set([this.chosen, this.focused, this.hovered])) {
      if (index >= 0) this.ring(context, ...this.place(index), index === this.hovered ? 2 : 2.6, 5);
    }
    this.drawLoop(context);
    this.drawTip(this.hovered >= 0 ? this.hovered : this.focused, width, height);
  }

  drawLoop(context) {
    if (this.loop.length < 2) return;
    context.beginPath();
    for (const [x, y] of this.loop) context.lineTo(x, y);
    context.closePath();
    context.globalAlpha = 0.1;
    context.fillStyle = context.strokeStyle;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  // The shown dots inside the loop that was drawn: a ray to the right crosses its line an odd number of times.
  inLoop() {
    const { scale, x0, y0 } = this.measure();
    const xs = this.loop.map(([x]) => (x - x0) / scale);
    const ys = this.loop.map(([, y]) => (y - y0) / scale);
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const found = [];
    for (let i = 0; i < count; i++) {
      const [u, v] = [this.at[2 * i], this.at[2 * i + 1]];
      if (!this.shown[i] || v < low || v > high) continue;
      let inside = false;
      for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
        if (ys[a] > v !== ys[b] > v && u < ((xs[b] - xs[a]) * (v - ys[a])) / (ys[b] - ys[a]) + xs[a]) inside = !inside;
      }
      if (inside) found.push(i);
    }
    return found;
  }

  ring(context, x, y, width, beyond) {
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, this.radius() + beyond, 0, 2 * Math.PI);
    context.stroke();
  }

  drawTip(index, width, height) {
    this.tip.hidden = index < 0;
    if (index < 0) return;
    if (this.tipped !== index) {
      const name = document.createElement("b");
      name.textContent = page.names[index];
      const line = document.createElement("span");
      line.append(symbolOf(labelOf(index)));
      this.words(index).forEach((words, number) => line.append(...(number ? [document.createElement("br")] : []), ` ${words}`));
      this.tip.replaceChildren(name, line);
      this.tipped = index;
    }
    const [x, y] = this.place(index);
    const { offsetWidth: w, offsetHeight: h } = this.tip;
    const left = x + 14 + w > width ? x - 14 - w : x + 14;
    this.tip.style.left = `${Math.max(4, Math.min(width - w - 4, left))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(height - h - 4, y - h / 2))}px`;
  }

  // The dot nearest to a place on the screen, or -1 where none is near.
  find(px, py) {
    const { scale, x0, y0 } = this.measure();
    const [u, v, reach] = [(px - x0) / scale, (py - y0) / scale, REACH / scale];
    const clamp = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));
    let [best, least] = [-1, reach * reach];
    for (let row = clamp(v - reach); row <= clamp(v + reach); row++) {
      for (let column = clamp(u - reach); column <= clamp(u + reach); column++) {
        const cell = row * CELLS + column;
        for (let k = this.cellStart[cell]; k < this.cellStart[cell + 1]; k++) {
          const i = this.cellItems[k];
          const distance = (this.at[2 * i] - u) ** 2 + (this.at[2 * i + 1] - v) ** 2;
          if (this.shown[i] && distance <= least) [best, least] = [i, distance];
        }
      }
    }
    return best;
  }

  // The nearest shown dot in a direction (within 45 degrees), seen from the focused one or the middle of the view.
  step(dx, dy) {
    const from = this.focused >= 0 ? this.focused : this.chosen;
    const [u, v] = from >= 0 ? [this.at[2 * from], this.at[2 * from + 1]] : this.centre;
    let [best, least] = [-1, Infinity];
    for (let i = 0; i < count; i++) {
      if (!this.shown[i] || i === from) continue;
      const [x, y] = [this.at[2 * i] - u, this.at[2 * i + 1] - v];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy - y * dx);
      const distance = along + 2 * across;
      const isAhead = from < 0 || (along > 0 && across <= along);
      const cost = from < 0 ? x * x + y * y : distance;
      if (isAhead && cost < least) [best, least] = [i, cost];
    }
    if (best >= 0) this.focus(best);
  }

  focus(index) {
    this.focused = index;
    this.hovered = -1;
    const [x, y] = this.place(index);
    const { width, height } = this.measure();
    if (x < 20 || y < 20 || x > width - 20 || y > height - 20) {
      this.centre = [this.at[2 * index], this.at[2 * index + 1]];
      this.redraw();
    }
    this.schedule();
    this.onFocus(index);
  }

  choose(index) {
    this.chosen = this.focused = index;
    this.schedule();
    this.onChoose(index);
  }

  listen() {
    const { marks } = this;
    const held = new Map();
    let moved = 0;
    const local = (event) => {
      const box = marks.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spread = () => {
      const [a, b] = [...held.values()];
      return Math.hypot(a[0] - b[0], a[1] - b[1]);
    };
    marks.addEventListener("pointerdown", (event) => {
      marks.setPointerCapture(event.pointerId);
      held.set(event.pointerId, local(event));
      if (held.size === 1) moved = 0;
      this.loop = held.size === 1 && this.onLasso && (this.isLasso || event.shiftKey) ? [local(event)] : [];
    });
    marks.addEventListener("pointermove", (event) => {
      const [x, y] = local(event);
      const before = held.get(event.pointerId);
      if (!before) {
        this.hovered = this.find(x, y);
        this.schedule();
        return;
      }
      moved += Math.abs(x - before[0]) + Math.abs(y - before[1]);
      const wide = held.size === 2 ? spread() : 0;
      held.set(event.pointerId, [x, y]);
      if (held.size === 2 && wide > 0) this.zoomBy(spread() / wide, x, y);
      else if (this.loop.length) {
        this.hovered = -1;
        const [lastX, lastY] = this.loop[this.loop.length - 1];
        if (Math.hypot(x - lastX, y - lastY) > 2) this.loop.push([x, y]);
        this.schedule();
      } else if (moved > 4) {
        marks.classList.add("dragging");
        this.hovered = -1;
        this.panBy(x - before[0], y - before[1]);
      }
    });
    const release = (event) => {
      held.delete(event.pointerId);
      marks.classList.remove("dragging");
      if (this.loop.length > 2 && moved > 4 && event.type === "pointerup") this.onLasso(this.inLoop(), event);
      this.loop = [];
      this.schedule();
      if (event.type !== "pointerup" || moved > 4) return;
      const found = this.find(...local(event));
      if (found < 0) return;
      if (event.shiftKey && this.onLasso) this.onLasso([found], event);
      else this.choose(found);
    };
    marks.addEventListener("pointerup", release);
    marks.addEventListener("pointercancel", release);
    marks.addEventListener("pointerleave", () => {
      this.hovered = -1;
      this.schedule();
    });
    marks.addEventListener("wheel", (event) => {
      if (document.activeElement !== marks && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * 0.0016), ...local(event));
    }, { passive: false });
    marks.addEventListener("blur", () => {
      this.focused = -1;
      this.schedule();
    });
  }
}
