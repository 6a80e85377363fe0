// Values, times and elements, for all pages.

const DAY = 86400;

/** Make an element: `make("p", {class: "x"}, "text", child)`. Text is text, whatever it holds. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElementNS(tag.startsWith("svg:") ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag.replace("svg:", ""));
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null));
  return made;
}

/** Parse JSON whose numbers at `value` keep all their digits, as text in a Number object. */
export function parse(text) {
  return JSON.parse(text, (name, found, context) =>
    name === "value" && typeof found === "number" && context?.source ? new Digits(context.source) : found);
}

class Digits {
  constructor(source) {
    this.source = source;
  }
}

/** A value as people read it: numbers with every digit that they came with. */
export function value(found) {
  if (found === null) return "–";
  if (found instanceof Digits) {
    const decimals = /^-?\d+\.(\d+)$/.exec(found.source)?.[1].length ?? 0;
    const exact = { minimumFractionDigits: Math.min(decimals, 20), maximumFractionDigits: 20 };
    return /^-?\d+(\.\d+)?$/.test(found.source) ? new Intl.NumberFormat(undefined, exact).format(found.source) : found.source;
  }
  if (typeof found === "number") return found.toLocaleString(undefined, { maximumSignificantDigits: 15 });
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(found)) return new Date(found).toLocaleString();
  return String(found);
}

/** A time, with its day unless it is of the last or the next hours. */
export function time(text) {
  const at = new Date(text);
  return Math.abs(Date.now() - at.getTime()) < DAY * 500 ? at.toLocaleTimeString() : at.toLocaleString();
}

export function ago(text) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(text).getTime()) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return time(text);
}

export function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

/** Several names in a sentence, the first few of them. */
export function names(found) {
  return found.length > 4 ? `${found.slice(0, 3).join(", ")} and ${found.length - 3} more` : found.join(", ");
}
