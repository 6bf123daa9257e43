// The classes as buttons that show and hide them.
class Legend {
  constructor(box, find, onChange) {
    this.onChange = onChange;
    this.on = page.classes.map(() => true);
    const sizes = new Uint32Array(page.classes.length);
    const wrong = new Uint32Array(page.classes.length);
    for (let i = 0; i < count; i++) {
      sizes[labels[i]]++;
      if (isWrong(i)) wrong[labels[i]]++;
    }
    this.buttons = page.classes.map(({ name }, label) => {
      const button = document.createElement("button");
      button.type = "button";
      button.hidden = !sizes[label];
      button.title = `${name}: ${sizes[label]} clips${page.predicted ? `, ${wrong[label]} wrong` : ""}`;
      const words = document.createElement("span");
      words.textContent = name;
      const number = document.createElement("small");
      number.textContent = sizes[label];
      button.append(symbolOf(label), words, number);
      button.addEventListener("click", () => this.set([label], !this.on[label]));
      return button;
    });
    this.there = [...sizes.keys()].filter((label) => sizes[label]);
    box.append(...this.buttons);
    find.hidden = this.there.length <= 12;
    find.addEventListener("input", () => {
      const wanted = find.value.trim().toLowerCase();
      for (const label of this.there) this.buttons[label].hidden = !className(label).toLowerCase().includes(wanted);
    });
    this.show();
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
