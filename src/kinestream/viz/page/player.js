// Skeletons in motion: one clip large, its neighbours small, all turned alike and in step.
const FRAMES_A_SECOND = 12;

class Skeleton {
  constructor(canvas, index, small) {
    this.canvas = canvas;
    this.small = small;
    this.data = skeletonOf(index);
    this.layout = layoutOf(index);
    if (this.data) this.measure(bodies[index]);
  }

  // Middle and size of the whole clip, so that nothing leaves the picture however it is turned.
  measure(count) {
    const { data } = this;
    this.count = count;
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    const joints = data.length / 3;
    for (let j = 0; j < joints; j++) {
      if (!data[3 * j] && !data[3 * j + 1] && !data[3 * j + 2]) continue;
      for (let c = 0; c < 3; c++) {
        low[c] = Math.min(low[c], data[3 * j + c]);
        high[c] = Math.max(high[c], data[3 * j + c]);
      }
    }
    this.middle = low.map((value, c) => (value + high[c]) / 2);
    this.high = Math.max(high[1] - low[1], 1);
    this.wide = Math.max(Math.hypot(high[0] - low[0], high[2] - low[2]), 1);
  }

  draw(frame, angle) {
    const { context, width, height } = sized(this.canvas);
    context.clearRect(0, 0, width, height);
    const colours = getComputedStyle(document.documentElement);
    if (!this.data) {
      context.fillStyle = colours.getPropertyValue("--quiet");
      context.font = "12px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(this.small ? "none" : "the skeleton of this clip is not in the page", width / 2, height / 2);
      return;
    }
    const margin = this.small ? 6 : 18;
    const scale = Math.min((height - 2 * margin) / this.high, (width - 2 * margin) / this.wide);
    const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
    const { frames } = page.skeleton;
    const { joints, bones, sides, head } = this.layout;
    const floor = height / 2 + (this.high / 2) * scale;
    context.strokeStyle = colours.getPropertyValue("--line");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(margin, floor + 2);
    context.lineTo(width - margin, floor + 2);
    context.stroke();
    context.lineCap = "round";
    for (let body = 0; body < this.count; body++) {
      const start = (body * frames + frame) * joints * 3;
      const at = this.data.subarray(start, start + joints * 3);
      if (at.every((value) => value === 0)) continue;
      const place = (joint) => {
        const [x, y, z] = [0, 1, 2].map((c) => (at[3 * joint + c] - this.middle[c]) * scale);
        return [width / 2 + x * cosine + z * sine, height / 2 - y, z * cosine - x * sine];
      };
      const lines = bones.map(([child, parent], i) => ({ from: place(child), to: place(parent), side: sides[i] }));
      lines.sort((a, b) => b.from[2] + b.to[2] - a.from[2] - a.to[2]);
      context.globalAlpha = body ? 0.5 : 1;
      context.lineWidth = this.small ? 1.6 : 3;
      for (const { from, to, side } of lines) {
        context.strokeStyle = colours.getPropertyValue(`--${side}`);
        context.beginPath();
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
        context.stroke();
      }
      if (head !== null) {
        const [x, y] = place(head);
        context.fillStyle = colours.getPropertyValue("--paper");
        context.strokeStyle = colours.getPropertyValue("--trunk");
        context.beginPath();
        context.arc(x, y, this.small ? 3 : 7, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
      context.globalAlpha = 1;
    }
  }
}

// Plays a clip and its neighbours until it is stopped. `onFrame(frame)` is told of every frame that is drawn.
class Player {
  constructor(onFrame, onState) {
    this.skeletons = [];
    this.frame = 0;
    this.angle = 0;
    this.playing = false;
    this.onFrame = onFrame;
    this.onState = onState;
  }

  show(skeletons) {
    this.skeletons = skeletons;
    this.frame = 0;
    this.angle = 0;
    this.draw();
  }

  draw() {
    for (const skeleton of this.skeletons) skeleton.draw(this.frame, this.angle);
    this.onFrame(this.frame);
  }

  seek(frame) {
    this.frame = frame;
    this.draw();
  }

  turn(by) {
    this.angle += by;
    this.draw();
  }

  play(on) {
    this.playing = on;
    this.onState(on);
    cancelAnimationFrame(this.next);
    if (!on) return;
    let last = performance.now();
    const step = (now) => {
      const passed = Math.floor(((now - last) * FRAMES_A_SECOND) / 1000);
      if (passed > 0) {
        last += (passed * 1000) / FRAMES_A_SECOND;
        this.seek((this.frame + passed) % page.skeleton.frames);
      }
      this.next = requestAnimationFrame(step);
    };
    this.next = requestAnimationFrame(step);
  }
}
