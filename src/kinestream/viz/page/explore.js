// The explorer's own: select clips, give them names, save the names as a table.
const NONE = "no name";
const NEAREST = 10;
const isSelected = new Uint8Array(count);
const names = page.given.names.slice();
const nameOf = numbers(page.given.of, Int32Array);
const past = [];
const shownNames = { named: true, unnamed: true };
const byName = { name: "name", classes: [], labels: new Uint16Array(count), blank: 0 };
let isSaved = true;
colourings.push(byName);
sortByName();

const KEYS_OF_PAGE = {
  l: () => setLasso(!map.isLasso),
  s: () => map.focused >= 0 && select([map.focused], isSelected[map.focused] ? "remove" : "add"),
  r: () => map.focused >= 0 && select(nearestOnMap(map.focused), "add"),
  g: () => map.focused >= 0 && select(everyShown((i) => labelOf(i) === labelOf(map.focused)), "add"),
  a: () => select(everyShown(() => true), "new"),
  n: () => element("name").focus(),
  u: undo,
};
const isMarked = (index) => isSelected[index] === 1;
const isInSight = (index) => shownNames[nameOf[index] >= 0 ? "named" : "unnamed"];

function lassoed(indices, event) {
  select(indices, event.shiftKey ? (indices.every((i) => isSelected[i]) ? "remove" : "add") : element("how").value);
}

// The colouring first, then the others that tell something of the clip.
function wordsOf(index) {
  const others = colourings.filter((one) => one !== colouring && one.labels[index] !== one.blank);
  return [colouring, ...others].map(({ name, classes, labels }) => (name === "name" ? "" : `${name} `) + classes[labels[index]]);
}

function titleOf(label, size) {
  return `${className(label)}: ${size} clips`;
}

function countInWords() {
  return "";
}

function everyShown(isWanted) {
  return Array.from(map.shown.keys()).filter((i) => map.shown[i] && isWanted(i));
}

// A clip and the ten shown and not selected ones that lie nearest to it on the map.
function nearestOnMap(from) {
  const away = (i) => (map.at[2 * i] - map.at[2 * from]) ** 2 + (map.at[2 * i + 1] - map.at[2 * from + 1]) ** 2;
  const others = everyShown((i) => i !== from && !isSelected[i]).map((i) => [away(i), i]);
  others.sort(([a], [b]) => a - b);
  return [from, ...others.slice(0, NEAREST).map(([, i]) => i)];
}

function selection() {
  return Array.from(isSelected.keys()).filter((i) => isSelected[i]);
}

// `how` is "new", "add" or "remove".
function select(indices, how) {
  if (how === "new") isSelected.fill(0);
  for (const i of indices) isSelected[i] = how === "remove" ? 0 : 1;
  tellSelection();
  speak(element("selected").textContent);
  map.redraw();
}

function tellSelection() {
  const number = isSelected.reduce((sum, one) => sum + one, 0);
  element("selected").textContent = `${inDigits(number)} selected`;
  element("give").disabled = element("clear").disabled = !number;
}

function setLasso(on) {
  map.isLasso = on;
  element("lasso").setAttribute("aria-pressed", String(on));
  element("marks").classList.toggle("lasso", on);
  speak(on ? "lasso: drag around clips" : "lasso off: drag moves the map");
}

// Gives the selected clips a name, or takes theirs away with "".
function give(text) {
  const name = text.normalize("NFC").replace(/[\s\p{Cc}]+/gu, " ").trim();
  const changed = selection();
  if (!changed.length) return;
  if (name && !names.includes(name)) names.push(name);
  past.push({ changed, before: changed.map((i) => nameOf[i]) });
  for (const i of changed) nameOf[i] = name ? names.indexOf(name) : -1;
  named(name ? `${inDigits(changed.length)} clips are called ${name}` : `${inDigits(changed.length)} clips have no name`);
}

function undo() {
  const last = past.pop();
  if (!last) return;
  last.changed.forEach((i, k) => (nameOf[i] = last.before[k]));
  isSelected.fill(0);
  for (const i of last.changed) isSelected[i] = 1;
  named("undone");
}

// After names have changed.
function named(words) {
  isSaved = false;
  sortByName();
  if (colouring === byName) legend.build(true);
  filter();
  if (map.chosen >= 0) tellClip(map.chosen);
  map.tipped = -1;
  tellNames();
  tellSelection();
  speak(words);
}

function sortByName() {
  byName.classes = [NONE, ...names];
  for (let i = 0; i < count; i++) byName.labels[i] = nameOf[i] + 1;
}

// How many clips each name has; a click selects them.
function tellNames() {
  const sizes = new Uint32Array(names.length);
  for (let i = 0; i < count; i++) if (nameOf[i] >= 0) sizes[nameOf[i]]++;
  const used = [...names.keys()].filter((n) => sizes[n]);
  const all = sizes.reduce((sum, one) => sum + one, 0);
  element("counts").textContent = `${inDigits(all)} of ${inDigits(count)} named${used.length ? `, ${used.length} name${used.length > 1 ? "s" : ""}` : ""}`;
  element("names").replaceChildren(
    ...used.map((n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = `${names[n]}: selects its ${sizes[n]} clips`;
      const words = document.createElement("span");
      words.textContent = names[n];
      const number = document.createElement("small");
      number.textContent = inDigits(sizes[n]);
      button.append(words, number);
      button.addEventListener("click", () => {
        element("name").value = names[n];
        select([...nameOf.keys()].filter((i) => nameOf[i] === n), "new");
      });
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  element("known-names").replaceChildren(...used.map((n) => new Option(names[n], names[n])));
  element("undo").disabled = !past.length;
  element("save").disabled = !all;
}

// A cell of a table as RFC 4180 has it.
function cell(value) {
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table() {
  const { columns, cells } = page.rows;
  const lines = [["name", "label", ...columns.slice(1)]];
  for (let i = 0; i < count; i++) {
    if (nameOf[i] >= 0) lines.push([cells[0][i], names[nameOf[i]], ...cells.slice(1).map((one) => one[i])]);
  }
  return lines.map((line) => `${line.map(cell).join(",")}\n`).join("");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv;charset=utf-8" }));
  link.download = page.saved_as;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  isSaved = true;
  speak(`${page.saved_as} is saved`);
}

function start() {
  element("colour").append(...colourings.map(({ name }, number) => new Option(name, number)));
  element("colour").addEventListener("change", (event) => {
    colouring = colourings[Number(event.target.value)];
    legend.build();
    filter();
    map.tipped = -1;
    if (map.chosen >= 0) showClip(map.chosen);
  });
  for (const which of ["named", "unnamed"]) {
    element(which).addEventListener("click", () => {
      shownNames[which] = !shownNames[which];
      element(which).setAttribute("aria-pressed", String(shownNames[which]));
      filter();
    });
  }
  element("lasso").addEventListener("click", () => setLasso(!map.isLasso));
  element("select-shown").addEventListener("click", () => select(everyShown(() => true), "new"));
  element("select-none").addEventListener("click", () => select([], "new"));
  element("naming").addEventListener("submit", (event) => {
    event.preventDefault();
    if (element("name").value.trim()) give(element("name").value);
  });
  element("clear").addEventListener("click", () => give(""));
  element("undo").addEventListener("click", undo);
  element("save").addEventListener("click", save);
  // Shift with an arrow selects where one comes to: the keys of the map have moved there already.
  element("marks").addEventListener("keydown", (event) => {
    if (event.shiftKey && event.key.startsWith("Arrow") && map.focused >= 0) select([map.focused], "add");
  });
  document.addEventListener("keydown", (event) => {
    const isText = event.target instanceof HTMLInputElement;
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || isText) return;
    event.preventDefault();
    undo();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
  tellNames();
  tellSelection();
}
