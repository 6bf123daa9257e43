// What the parts of the page do to each other.
const element = (id) => document.getElementById(id);

const shownGuesses = { right: true, wrong: true };
const player = new Player(showFrame, (playing) => {
  element("play").textContent = playing ? "❚❚" : "▶";
  element("play").setAttribute("aria-label", playing ? "Pause" : "Play");
});
const map = new ClipMap({
  points: element("points"),
  marks: element("marks"),
  tip: element("tip"),
  onChoose: showClip,
  onFocus: (index) => speak(`${page.names[index]}, ${classInWords(index)}`),
});
const legend = new Legend(element("legend"), element("find"), filter);

function speak(words) {
  element("spoken").textContent = words;
}

function filter() {
  map.setShown((i) => legend.on[labels[i]] && shownGuesses[isWrong(i) ? "wrong" : "right"]);
  let [shown, wrong] = [0, 0];
  for (let i = 0; i < count; i++) {
    shown += map.shown[i];
    wrong += map.shown[i] && isWrong(i) ? 1 : 0;
  }
  const some = (number) => number.toLocaleString("en");
  const mistakes = page.predicted ? `, ${some(wrong)} of them wrong` : "";
  element("count").textContent = `${some(shown)} of ${some(count)} clips shown${mistakes}`;
}

function showFrame(frame) {
  element("frame").value = frame;
  element("frame-number").textContent = `${frame + 1}/${page.skeleton.frames}`;
}

function showClip(index) {
  element("empty").hidden = true;
  element("clip").hidden = false;
  element("clip-name").textContent = page.names[index];
  element("clip-class").replaceChildren(symbolOf(labels[index]), ` ${classInWords(index)}`);
  const skeletons = [new Skeleton(element("player"), index, false)];
  element("neighbours").replaceChildren(
    ...Array.from({ length: perClip }, (_, k) => {
      const neighbour = neighbours[index * perClip + k];
      const cosine = (cosines[index * perClip + k] / 100).toFixed(2);
      const button = document.createElement("button");
      button.type = "button";
      button.title = `${page.names[neighbour]}: ${className(labels[neighbour])}, cosine ${cosine}`;
      button.setAttribute("aria-label", button.title);
      button.classList.toggle("other", labels[neighbour] !== labels[index]);
      const canvas = document.createElement("canvas");
      const name = document.createElement("span");
      name.append(symbolOf(labels[neighbour]), ` ${className(labels[neighbour])}`);
      const near = document.createElement("span");
      near.className = "cosine";
      near.textContent = cosine;
      button.append(canvas, name, near);
      button.addEventListener("click", () => map.choose(neighbour));
      skeletons.push(new Skeleton(canvas, neighbour, true));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  player.show(skeletons);
  player.play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  speak(`${page.names[index]}, ${classInWords(index)}; plays`);
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
};
element("marks").addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !element("clip").hidden) {
    closeClip();
    element("marks").focus({ preventScroll: true });
  }
});

for (const which of ["right", "wrong"]) {
  element(which).addEventListener("click", () => {
    shownGuesses[which] = !shownGuesses[which];
    element(which).setAttribute("aria-pressed", String(shownGuesses[which]));
    filter();
  });
}
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
filter();
