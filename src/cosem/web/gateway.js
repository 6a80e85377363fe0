// The status page of the gateway: asks for the plant every few seconds, and listens to the devices that are open.

const EVERY = 5000;
const DAY = 86400;
const shown = new Map(); // what is on the page of each device, by its alias
let token = sessionStorage.getItem("token") ?? "";
let listening = null; // ends the events that are listened to
let signalsOf = null; // for the filter: which device has which signals, once somebody filters

const $ = (id) => document.getElementById(id);

/** Make an element: `make("p", {class: "x"}, "text", child)`. Text is text, whatever it holds. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElementNS(tag.startsWith("svg:") ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag.replace("svg:", ""));
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null));
  return made;
}

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.status === 401) throw new Locked();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

class Locked extends Error {}

// -- the plant -------------------------------------------------------------------------------------------------------

async function refresh() {
  try {
    const plant = await (await ask("api/plant")).json();
    $("door").hidden = true;
    $("plant").hidden = false;
    connection("live", "answers");
    figures(plant);
    devices(plant.devices);
    outputs(plant.outputs);
    $("footer").textContent = `Gateway time ${time(plant.now)}. Values are those of the moment they are shown with.`;
  } catch (error) {
    if (error instanceof Locked) {
      $("plant").hidden = true;
      $("door").hidden = false;
      $("refused").textContent = token ? "That is not the token." : "";
      connection("locked", "waiting");
      return; // asked again when a token is given
    }
    connection("the gateway does not answer; trying again", "lost");
  }
  setTimeout(refresh, EVERY);
}

function connection(text, state) {
  $("connection").textContent = text;
  $("connection").className = `state ${state}`;
}

function figures(plant) {
  const lost = plant.devices.filter((each) => each.state === "lost").length;
  const signals = sum(plant.devices.map((each) => each.signals));
  const good = sum(plant.devices.map((each) => each.qualities.good ?? 0));
  const waiting = plant.outputs.filter((each) => each.error).length;
  const rows = [
    ["Devices", plant.devices.length, false],
    ["Lost", lost, lost > 0],
    ["Signals good", good === signals ? signals : `${good} of ${signals}`, good < signals],
    ["Outputs away", waiting, waiting > 0],
  ];
  $("figures").replaceChildren(
    ...rows.map(([name, number, bad]) =>
      make("div", { class: bad ? "bad" : "" }, make("dt", {}, name), make("dd", {}, String(number)))),
  );
}

function outputs(found) {
  if (!found.length) {
    $("outputs").replaceChildren(make("p", {}, "There are none: values are shown here only."));
    return;
  }
  const head = make("tr", {}, ...["Output", "State", "Published"].map((each) => make("th", { scope: "col" }, each)));
  const rows = found.map((each) =>
    make("tr", {},
      make("td", {}, make("strong", {}, each.output), ` ${each.kind} ${each.address}`),
      make("td", { class: each.error ? "quality bad" : "quality" }, each.error || "delivers"),
      make("td", {}, each.published.toLocaleString())));
  $("outputs").replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

// -- devices ---------------------------------------------------------------------------------------------------------

function devices(found) {
  const here = new Set(found.map((each) => each.device));
  for (const [alias, each] of shown) {
    if (!here.has(alias)) {
      each.element.remove();
      shown.delete(alias);
    }
  }
  for (const each of found) {
    if (!shown.has(each.device)) add(each);
    update(shown.get(each.device), each);
  }
  choose();
}

function add(device) {
  const state = make("span", { class: "state" });
  const about = make("span", { class: "about" });
  const inside = make("div", { class: "inside" });
  const element = make("details", { class: "device", id: `device-${device.device}`, ontoggle: () => toggled(device.device) },
    make("summary", {}, make("span", { class: "name" }, device.name || device.device), state, about), inside);
  shown.set(device.device, { element, state, about, inside, rows: new Map(), open: null, device });
  $("devices").append(element);
}

function update(on, device) {
  on.device = device;
  on.state.textContent = device.state;
  on.state.className = `state ${device.state === "lost" ? "lost" : device.state === "answers" ? "answers" : "waiting"}`;
  const last = device.last_success === null ? "never answered" : `last answer ${ago(device.last_success)}`;
  const against = Object.entries(device.qualities).filter(([word]) => word !== "good");
  const doubts = against.map(([word, count]) => `${count} ${word}`).join(", ");
  on.about.textContent = [device.driver, device.line, last, doubts].filter(Boolean).join(" · ");
  if (on.open) health(on);
}

async function toggled(alias) {
  const on = shown.get(alias);
  if (!on.element.open) {
    on.open = null;
    on.inside.replaceChildren();
    on.rows.clear();
    listen();
    return;
  }
  const found = await (await ask(`api/devices/${encodeURIComponent(alias)}`)).json();
  const head = make("tr", {},
    make("th", { scope: "col" }, "Signal"), make("th", { scope: "col", class: "value" }, "Value"),
    make("th", { scope: "col" }, "Quality"), make("th", { scope: "col" }, "Time"));
  const body = make("tbody");
  on.rows.clear();
  for (const signal of found.signals) {
    const row = {
      value: make("td", { class: "value" }, "–"), quality: make("td", { class: "quality" }, "not read yet"),
      time: make("td", { class: "time" }),
    };
    row.element = make("tr", { "data-signal": signal.signal },
      make("td", {}, make("button", { class: "plain", type: "button", title: "Show a plot", onclick: () => plot(on, signal) }, signal.name || signal.signal)),
      row.value, row.quality, row.time);
    on.rows.set(signal.signal, row);
    body.append(row.element);
  }
  on.open = { why: make("div"), counters: make("dl", { class: "counters" }), plot: make("div"), frames: make("div"), drawn: null };
  const buttons = make("div", { class: "buttons" },
    make("button", { type: "button", onclick: () => frames(on) }, "Show the last frames"));
  const table = make("table", { class: "signals" }, make("thead", {}, head), body);
  on.inside.replaceChildren(on.open.why, on.open.plot, table, on.open.counters, buttons, on.open.frames);
  health(on);
  for (const sample of found.samples) take(sample, false);
  listen();
}

function health(on) {
  const device = on.device;
  on.open.why.replaceChildren();
  if (device.error) {
    const causes = device.causes.length ? make("ul", {}, ...device.causes.map((each) => make("li", {}, each))) : null;
    on.open.why.append(make("div", { class: "why" },
      make("p", {}, make("strong", {}, device.error)),
      causes, device.remedy ? make("p", {}, `Try: ${device.remedy}`) : null));
  }
  on.open.counters.replaceChildren(
    ...Object.entries(device.counters).map(([name, count]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, count.toLocaleString()))));
}

// -- values ----------------------------------------------------------------------------------------------------------

function take(sample, fresh) {
  for (const on of shown.values()) {
    const row = on.rows.get(sample.signal);
    if (!row || sample.backfilled) continue;
    row.value.textContent = `${value(sample.value)}${sample.unit ? ` ${sample.unit}` : ""}`;
    row.unit = sample.unit;
    row.quality.textContent = sample.quality.join(", ");
    row.quality.className = sample.quality[0] === "good" ? "quality" : "quality bad";
    row.time.textContent = time(sample.source_time ?? sample.gateway_time);
    if (fresh) {
      row.element.classList.remove("fresh");
      void row.element.offsetWidth; // begins the animation anew
      row.element.classList.add("fresh");
      if (on.open?.drawn?.signal === sample.signal) draw(on);
    }
  }
}

/** Listen to the devices that are open, for as long as they are. */
async function listen() {
  listening?.abort();
  const wanted = [...shown].filter(([, on]) => on.open).map(([alias]) => `device=${encodeURIComponent(alias)}`);
  if (!wanted.length) return;
  const mine = (listening = new AbortController());
  while (!mine.signal.aborted) {
    try {
      const answer = await ask(`api/events?${wanted.join("&")}`, { signal: mine.signal });
      await told(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch {
      // it is tried again, unless another has begun
    }
    await new Promise((resume) => setTimeout(resume, EVERY));
  }
}

async function told(reader) {
  let rest = "";
  for (;;) {
    const { done, value: text } = await reader.read();
    if (done) return;
    const events = (rest + text).split("\n\n");
    rest = events.pop();
    for (const each of events) {
      const data = each.split("\n").find((line) => line.startsWith("data: "));
      if (data) take(JSON.parse(data.slice(6)), true);
    }
  }
}

// -- plots and frames ------------------------------------------------------------------------------------------------

async function plot(on, signal) {
  on.open.drawn = on.open.drawn?.signal === signal.signal ? null : signal;
  if (on.open.drawn) await draw(on);
  else on.open.plot.replaceChildren();
}

async function draw(on) {
  const signal = on.open.drawn;
  const spots = await (await ask(`api/signals/${encodeURIComponent(signal.signal)}/history`)).json();
  if (on.open?.drawn !== signal) return;
  const numbers = spots.filter(([, number]) => number !== null);
  const name = signal.name || signal.signal;
  if (!numbers.length) {
    on.open.plot.replaceChildren(make("p", { class: "notice" }, `${name} has no numbers yet.`));
    return;
  }
  const times = numbers.map(([at]) => at);
  const values = numbers.map(([, number]) => number);
  const [begin, end] = [times[0], times.at(-1)];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const [least, most] = [low, high];
  if (low === high) [low, high] = [low - Math.max(Math.abs(low), 1) / 10, high + Math.max(Math.abs(high), 1) / 10];
  const x = (at) => (end > begin ? ((at - begin) / (end - begin)) * 992 + 4 : 500);
  const y = (number) => 194 - ((number - low) / (high - low)) * 188;
  let path = "";
  let pen = "M"; // a gap lifts it
  for (const [at, number] of spots) {
    if (number === null) pen = "M";
    else {
      path += `${pen}${x(at).toFixed(1)} ${y(number).toFixed(1)}`;
      pen = "L";
    }
  }
  const image = make("svg:svg", { class: "plot", viewBox: "0 0 1000 200", preserveAspectRatio: "none", role: "img",
    "aria-label": `${name}: ${value(least)} to ${value(most)}, now ${value(values.at(-1))}` },
  ...[6, 100, 194].map((at) => make("svg:line", { x1: 0, x2: 1000, y1: at, y2: at })), make("svg:path", { d: path }));
  const unit = on.rows.get(signal.signal)?.unit ?? "";
  const range = least === most ? `always ${value(least)}` : `${value(least)} to ${value(most)}`;
  on.open.plot.replaceChildren(make("figure", {},
    make("figcaption", {}, `${name}: ${range} ${unit} in ${numbers.length} values`), image,
    make("div", { class: "axis" }, make("span", {}, moment(begin)), make("span", {}, moment(end)))));
}

async function frames(on) {
  const found = await (await ask(`api/devices/${encodeURIComponent(on.device.device)}/frames`)).json();
  const narrow = matchMedia("(max-width: 32rem)").matches; // without the columns of offset and length then
  const line = (text) => (narrow ? text.replace(/^ *\d+ +\d+ {2}/, "") : text);
  const made = found.reverse().map((each) => {
    const way = each.direction === "TX" ? "sent" : "received";
    return make("details", { class: `frame ${each.direction}` },
      make("summary", {}, make("span", {}, `${way} ${each.time}`), each.summary),
      each.lines.length ? make("pre", { class: "tree" }, each.lines.map(line).join("\n")) : null,
      make("pre", { class: "octets" }, each.octets));
  });
  on.open.frames.replaceChildren(...(made.length ? made : [make("p", { class: "notice" }, "Nothing has gone over its line yet.")]));
}

// -- choosing --------------------------------------------------------------------------------------------------------

function choose() {
  const text = $("filter").value.trim().toLowerCase();
  const lost = $("lost-only").getAttribute("aria-pressed") === "true";
  for (const [alias, on] of shown) {
    const device = on.device;
    const words = [alias, device.name, device.description, device.line, device.driver, ...(signalsOf?.get(alias) ?? [])];
    const fits = !text || words.some((each) => each.toLowerCase().includes(text));
    on.element.hidden = !fits || (lost && device.state !== "lost");
  }
}

$("filter").addEventListener("input", async () => {
  if (signalsOf === null) {
    signalsOf = new Map();
    for (const each of await (await ask("api/points")).json()) {
      const of = signalsOf.get(each.device) ?? [];
      of.push(each.signal, each.name);
      signalsOf.set(each.device, of);
    }
  }
  choose();
});
$("lost-only").addEventListener("click", () => {
  const button = $("lost-only");
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  choose();
});
$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value;
  sessionStorage.setItem("token", token);
  refresh();
});

// -- texts -----------------------------------------------------------------------------------------------------------

function value(found) {
  if (found === null) return "–";
  if (typeof found === "number") return found.toLocaleString(undefined, { maximumSignificantDigits: 12 });
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(found)) return new Date(found).toLocaleString();
  return String(found);
}

function time(text) {
  const at = new Date(text);
  return Date.now() - at.getTime() < DAY * 1000 ? at.toLocaleTimeString() : at.toLocaleString();
}

function moment(seconds) {
  return time(seconds * 1000);
}

function ago(text) {
  const seconds = Math.max(0, Math.round((Date.now() - new Date(text).getTime()) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return time(text);
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}

refresh();
