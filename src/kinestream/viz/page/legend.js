// The classes as buttons that show and hide them.
class Legend {
  // `title(label, size)` is what a button says when it is pointed at.
  constructor(box, find, onChange, title) {
    Object.assign(this, { box, find, onChange, title, on: [] });
    find.addEventListener("input", () => this.search());
  }

  // For the classes of what the dots are coloured by now; what was hidden by its name stays so with `keep`.
  build(keep) {
    const hidden = new Set(keep && this.buttons ? this.named.filter((_, label) => !this.on[label]) : []);
    this.named = [...colouring.classes];
    this.on = this.named.map((name) => !hidden.has(name));
    const sizes = new Uint32Array(this.named.length);
    for (let i = 0; i < count; i++) sizes[labelOf(i)]++;
    this.there = [...sizes.keys()].filter((label) => sizes[label]);
    this.buttons = this.named.map((name, label) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = this.title(label, sizes[label]);
      const words = document.createElement("span");
      words.textContent = name;
      const number = document.createElement("small");
      number.textContent = sizes[label];
      button.append(symbolOf(label), words, number);
      button.addEventListener("click", () => this.set([label], !this.on[label]));
      return button;
    });
    this.box.replaceChildren(...this.buttons);
    this.find.hidden = this.there.length <= 12;
    if (this.find.hidden) this.find.value = "";
    this.buttons.forEach((button, label) => (button.hidden = !sizes[label]));
    this.search();
    this.show();
  }

  search() {
    const wanted = this.find.value.trim().toLowerCase();
    for (const label of this.there) this.buttons[label].hidden = !className(label).toLowerCase().includes(wanted);
  }

  set(chosen, on) {
    for (const label of chosen) this.on[label] = on;
    this.show();
    this.onChange();
  }

  // What the search left in sight: all of them where nothing is searched for.
  inSight() {
    return this.there.filter((label) => !this.buttons[label].hidden);
  }

  show() {
    this.buttons.forEach((button, label) => button.setAttribute("aria-pressed", String(this.on[label])));
  }
}
