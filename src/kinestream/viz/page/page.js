// What the parts of the page do to each other. Each page says besides, in a script of its own before this one: isMarked, wordsOf,
// titleOf, isInSight, countInWords, lassoed, KEYS_OF_PAGE and start.
const player = new Player(showFrame, (playing) => {
  element("play").textContent = playing ? "❚❚" : "▶";
  element("play").setAttribute("aria-label", playing ? "Pause" : "Play");
});
const map = new ClipMap({
  points: element("points"),
  marks: element("marks"),
  tip: element("tip"),
  onChoose: showClip,
  onFocus: (index) => speak(inOneLine(index)),
  isMarked,
  words: wordsOf,
  onLasso: lassoed,
});
const legend = new Legend(element("legend"), element("find"), filter, titleOf);

function inDigits(number) {
  return number.toLocaleString("en");
}

function inOneLine(index) {
  return `${page.names[index]}, ${wordsOf(index).join(", ")}`;
}

function speak(words) {
  element("spoken").textContent = words;
}

function filter() {
  map.setShown((i) => legend.on[labelOf(i)] && isInSight(i));
  const shown = map.shown.reduce((sum, one) => sum + one, 0);
  element("count").textContent = `${inDigits(shown)} of ${inDigits(count)} clips shown${countInWords()}`;
}

function showFrame(frame) {
  element("frame").value = frame;
  element("frame-number").textContent = `${frame + 1}/${page.skeleton.frames}`;
}

function tellClip(index) {
  element("clip-class").replaceChildren(symbolOf(labelOf(index)), ` ${wordsOf(index).join(", ")}`);
}

function showClip(index) {
  element("empty").hidden = true;
  element("clip").hidden = false;
  element("clip-name").textContent = page.names[index];
  tellClip(index);
  const skeletons = [new Skeleton(element("player"), index, false)];
  element("transport").hidden = !skeletons[0].data;
  const items = [];
  for (let k = 0; k < perClip; k++) {
    const neighbour = neighbours[index * perClip + k];
    if (neighbour === index) continue;
    const cosine = (cosines[index * perClip + k] / 100).toFixed(2);
    const label = labelOf(neighbour);
    const button = document.createElement("button");
    button.type = "button";
    button.title = `${page.names[neighbour]}: ${className(label)}, cosine ${cosine}`;
    button.setAttribute("aria-label", button.title);
    button.classList.toggle("other", label !== labelOf(index));
    const canvas = document.createElement("canvas");
    const name = document.createElement("span");
    name.append(symbolOf(label), ` ${className(label)}`);
    const near = document.createElement("span");
    near.className = "cosine";
    near.textContent = cosine;
    button.append(canvas, name, near);
    button.addEventListener("click", () => map.choose(neighbour));
    skeletons.push(new Skeleton(canvas, neighbour, true));
    const item = document.createElement("li");
    item.append(button);
    items.push(item);
  }
  element("neighbours").replaceChildren(...items);
  player.show(skeletons);
  player.play(skeletons.some(({ data }) => data) && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  speak(`${inOneLine(index)}; plays`);
}

function closeClip() {
  player.play(false);
  player.skeletons = [];
  map.chosen = map.focused = -1;
  map.schedule();
  element("clip").hidden = true;
  element("empty").hidden = false;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  map.redraw();
  player.draw();
}

const KEYS = {
  ArrowLeft: () => map.step(-1, 0),
  ArrowRight: () => map.step(1, 0),
  ArrowUp: () => map.step(0, -1),
  ArrowDown: () => map.step(0, 1),
  Enter: () => map.focused >= 0 && map.choose(map.focused),
  " ": () => player.skeletons.length && player.play(!player.playing),
  "+": () => map.zoomBy(1.5),
  "=": () => map.zoomBy(1.5),
  "-": () => map.zoomBy(1 / 1.5),
  0: () => map.whole(),
  ...KEYS_OF_PAGE,
};
element("marks").addEventListener("keydown", (event) => {
  const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(event);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !element("clip").hidden) {
    closeClip();
    element("marks").focus({ preventScroll: true });
  }
});

element("layout").append(...layouts.map(({ name }, number) => new Option(name, number)));
element("layout").addEventListener("change", (event) => map.setLayout(Number(event.target.value)));
element("zoom-in").addEventListener("click", () => map.zoomBy(1.5));
element("zoom-out").addEventListener("click", () => map.zoomBy(1 / 1.5));
element("zoom-reset").addEventListener("click", () => map.whole());
element("all").addEventListener("click", () => legend.set(legend.inSight(), true));
element("none").addEventListener("click", () => legend.set(legend.inSight(), false));
element("close").addEventListener("click", closeClip);
element("play").addEventListener("click", () => player.play(!player.playing));
element("frame").max = page.skeleton.frames - 1;
element("frame").addEventListener("input", (event) => {
  player.play(false);
  player.seek(Number(event.target.value));
});
element("player").addEventListener("pointerdown", (event) => event.target.setPointerCapture(event.pointerId));
element("player").addEventListener("pointermove", (event) => {
  if (event.buttons) player.turn(event.movementX * 0.012);
});
element("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
start();
legend.build();
filter();
