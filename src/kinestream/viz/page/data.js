// The embedded data: small integers in base64, read once; the skeletons of a clip only when it is looked at.
const element = (id) => document.getElementById(id);
const page = JSON.parse(document.getElementById("data").textContent);

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

const numbers = (text, Kind) => new Kind(bytes(text).buffer);

const count = page.names.length;
const neighbours = numbers(page.neighbours, Uint32Array);
const cosines = numbers(page.cosines, Int8Array);
const perClip = count ? neighbours.length / count : 0;
const layouts = page.layouts.map(({ name, points }) => {
  const whole = numbers(points, Uint16Array);
  return { name, points: Float32Array.from(whole, (value) => value / 65535) };
});
const bodies = numbers(page.skeleton.bodies, Uint8Array);

// What the dots are coloured by: a class for each; `blank` is the class of those that nothing is known of.
const colourings = page.colourings.map((one) => ({ ...one, labels: numbers(one.labels, Uint16Array) }));
let [colouring] = colourings;
const labelOf = (index) => colouring.labels[index];
const className = (label) => colouring.classes[label];
const BLANK = { shape: "circle", filled: true, light: "#a8b0b8", dark: "#5d666f" };
const symbolFor = (label) => (label === colouring.blank ? BLANK : page.symbols[label % page.symbols.length]);
const isDark = () => document.documentElement.dataset.theme === "dark";

// How the joints of a clip hang together.
const layoutNumbers = numbers(page.skeleton.of, Uint8Array);
const layoutOf = (index) => page.skeleton.layouts[layoutNumbers[index]];

// Where each clip begins in the text, in base64 letters; a body's frame is 6 bytes a joint, so that parts end on whole letters.
const begins = new Float64Array(count + 1);
for (let i = 0; i < count; i++) begins[i + 1] = begins[i] + (bodies[i] && bodies[i] * page.skeleton.frames * layoutOf(i).joints * 8);
const skeletonText = document.getElementById("skeletons").textContent;

// (body, frame, joint, coordinate) of a clip, in units of page.skeleton.unit; null where the page has none of it.
function skeletonOf(index) {
  if (!bodies[index]) return null;
  return numbers(skeletonText.slice(begins[index], begins[index + 1]), Int16Array);
}

const SHAPE_PATHS = {
  circle: "M8 1.5A6.5 6.5 0 1 1 7.99 1.5z",
  square: "M2.5 2.5h11v11h-11z",
  up: "M8 1.3L15 14H1z",
  diamond: "M8 .8L15.2 8 8 15.2.8 8z",
  down: "M8 14.7L1 2h14z",
  plus: "M5.5 1h5v4.5H15v5h-4.5V15h-5v-4.5H1v-5h4.5z",
};

// The symbol of a class as a picture between words.
function symbolOf(label) {
  const { shape, filled, light, dark } = symbolFor(label);
  const names = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(names, "svg");
  svg.setAttribute("viewBox", "-1 -1 18 18");
  svg.setAttribute("class", "symbol");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("--on-light", light);
  svg.style.setProperty("--on-dark", dark);
  const path = document.createElementNS(names, "path");
  path.setAttribute("d", SHAPE_PATHS[shape]);
  path.setAttribute("fill", filled ? "currentColor" : "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", filled ? 0 : 2.6);
  svg.append(path);
  return svg;
}

// A canvas as large as it is shown, for the pixels of the screen; gives its context and size in CSS pixels.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}
