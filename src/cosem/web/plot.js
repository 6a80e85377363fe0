// A plot of a signal: a line through its numbers with a gap where it was not known, and the same numbers as a table.

import { make, time, value } from "./texts.js";

const LISTED = 20; // of the newest numbers in the table

/** Return a figure of `[seconds, number or null]` pairs in the order of time. */
export function plotted(name, unit, spots) {
  const numbers = spots.filter(([, number]) => number !== null);
  if (!numbers.length) return make("p", { class: "quiet" }, `${name} has no numbers yet.`);
  const values = numbers.map(([, number]) => number);
  const least = values.reduce((one, other) => Math.min(one, other));
  const most = values.reduce((one, other) => Math.max(one, other));
  const [begin, end] = [numbers[0][0], numbers.at(-1)[0]];
  const shown = (number) => `${value(number)} ${unit}`.trim();
  const range = least === most ? `always ${shown(least)}` : `${value(least)} to ${shown(most)}`;
  const image = make("svg:svg", { class: "plot", viewBox: "0 0 1000 200", preserveAspectRatio: "none", role: "img",
    "aria-label": `${name}: ${range}, now ${shown(values.at(-1))}` },
  ...[6, 100, 194].map((at) => make("svg:line", { x1: 0, x2: 1000, y1: at, y2: at })),
  make("svg:path", { d: line(spots, [begin, end], [least, most]) }));
  const reading = make("span", { class: "reading" });
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const at = begin + ((event.clientX - box.left) / box.width) * (end - begin);
    const [when, number] = numbers.reduce((best, each) => (Math.abs(each[0] - at) < Math.abs(best[0] - at) ? each : best));
    reading.textContent = `${time(when * 1000)}: ${shown(number)}`;
  });
  image.addEventListener("pointerleave", () => (reading.textContent = ""));
  return make("figure", {},
    make("figcaption", {}, `${name}: ${range} in ${numbers.length} values `, reading),
    make("div", { class: "drawing" }, image,
      ...(least === most ? [make("span", { class: "middle" }, value(least))]
        : [make("span", { class: "top" }, value(most)), make("span", { class: "bottom" }, value(least))])),
    make("div", { class: "axis" }, make("span", {}, time(begin * 1000)), make("span", {}, time(end * 1000))),
    listed(spots, shown));
}

function line(spots, [begin, end], [least, most]) {
  const [low, high] = least === most ? [least - 1, most + 1] : [least, most];
  const x = (at) => (end > begin ? ((at - begin) / (end - begin)) * 992 + 4 : 500);
  const y = (number) => (least === most ? 100 : 194 - ((number - low) / (high - low)) * 188);
  let path = "";
  let pen = "M"; // a gap lifts it
  for (const [at, number] of spots) {
    if (number === null) pen = "M";
    else {
      path += `${pen}${x(at).toFixed(1)} ${y(number).toFixed(1)}`;
      if (pen === "M") path += "h.1"; // so that one number between gaps is a dot
      pen = "L";
    }
  }
  return path;
}

function listed(spots, shown) {
  const rows = spots.slice(-LISTED).reverse().map(([at, number]) =>
    make("tr", {}, make("td", {}, time(at * 1000)), make("td", { class: "value" }, number === null ? "not known" : shown(number))));
  return make("details", { class: "listed" }, make("summary", {}, "The newest numbers"), make("table", {}, make("tbody", {}, ...rows)));
}
