// The report's own: what each clip was taken for.
const predicted = page.predicted ? numbers(page.predicted, Uint16Array) : colouring.labels;
const confidence = page.confidence ? numbers(page.confidence, Uint8Array) : null;
const shownGuesses = { right: true, wrong: true };
const KEYS_OF_PAGE = {};
const isWrong = (index) => labelOf(index) !== predicted[index];
const isMarked = isWrong;
const lassoed = null;
const isInSight = (index) => shownGuesses[isWrong(index) ? "wrong" : "right"];

// The class of a clip and what it was taken for, where that is known.
function wordsOf(index) {
  return [className(labelOf(index)), ...(page.predicted ? [guessInWords(index)] : [])];
}

function guessInWords(index) {
  const sure = confidence ? `, ${confidence[index]} % sure` : "";
  return isWrong(index) ? `taken for ${className(predicted[index])}${sure}` : `recognised${sure}`;
}

function titleOf(label, size) {
  let wrong = 0;
  for (let i = 0; i < count; i++) wrong += labelOf(i) === label && isWrong(i) ? 1 : 0;
  return `${className(label)}: ${size} clips${page.predicted ? `, ${wrong} wrong` : ""}`;
}

function countInWords() {
  if (!page.predicted) return "";
  let wrong = 0;
  for (let i = 0; i < count; i++) wrong += map.shown[i] && isWrong(i) ? 1 : 0;
  return `, ${inDigits(wrong)} of them wrong`;
}

function start() {
  for (const which of ["right", "wrong"]) {
    element(which).addEventListener("click", () => {
      shownGuesses[which] = !shownGuesses[which];
      element(which).setAttribute("aria-pressed", String(shownGuesses[which]));
      filter();
    });
  }
}
