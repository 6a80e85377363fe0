// The status page of the gateway: asks for the plant every few seconds, and listens to the devices that are open.

import { ago, make, names, parse, sum, time, value } from "./texts.js";
import { plotted } from "./plot.js";

const EVERY = 5000;
const shown = new Map(); // what is on the page of each device, by its alias
let token = sessionStorage.getItem("token") ?? "";
let listening = null; // ends the events that are listened to
let signalsOf = null; // for the filter: which device has which signals, once somebody filters
let tables = null; // changes when the tables of the gateway do
let states = null; // of each device, so that a change is told

const $ = (id) => document.getElementById(id);

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.status === 401) throw new Locked();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

class Locked extends Error {}

/** Show an element's children where they have changed, so that nobody who reads them is disturbed. */
function put(element, state, ...children) {
  const text = JSON.stringify(state);
  if (element.dataset.state === text) return;
  element.dataset.state = text;
  element.replaceChildren(...children.filter((each) => each !== null));
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Do what was clicked; where the gateway does not answer, say so at that place. */
async function attempt(place, doing) {
  try {
    await doing();
  } catch (error) {
    place.replaceChildren(make("p", { class: "notice" }, `The gateway does not answer (${error.message || "it wants its token"}). Try again.`));
  }
}

// -- the plant -------------------------------------------------------------------------------------------------------

async function refresh() {
  try {
    const plant = await (await ask("api/plant")).json();
    $("door").hidden = true;
    $("plant").hidden = false;
    connection("live", "answers");
    figures(plant);
    if (tables !== null && tables !== plant.tables) signalsOf = null;
    devices(plant.devices, tables !== null && tables !== plant.tables);
    tables = plant.tables;
    outputs(plant.outputs);
    news(plant.devices);
    $("footer").textContent = `Gateway time ${time(plant.now)}. Values are those of the moment they are shown with.`;
  } catch (error) {
    if (error instanceof Locked) {
      $("plant").hidden = true;
      $("door").hidden = false;
      $("refused").textContent = token ? "That is not the token." : "";
      connection("locked", "waiting");
      $("token").focus();
      return; // asked again when a token is given
    }
    connection("does not answer; trying again", "lost");
  }
  setTimeout(refresh, EVERY);
}

function connection(text, state) {
  write($("connection"), text);
  $("connection").className = `state ${state}`;
}

function figures(plant) {
  const lost = plant.devices.filter((each) => each.state === "lost").length;
  const signals = sum(plant.devices.map((each) => each.signals));
  const good = sum(plant.devices.map((each) => each.qualities.good ?? 0));
  const away = plant.outputs.filter((each) => each.error).length;
  const rows = [
    ["Devices", plant.devices.length, "", false],
    ["Lost", lost, "", lost > 0],
    ["Signals good", good, good < signals ? `of ${signals.toLocaleString()}` : "", good < signals],
    ["Outputs away", away, "", away > 0],
  ];
  put($("figures"), rows,
    ...rows.map(([name, number, of, bad]) =>
      make("div", { class: bad ? "bad" : "" }, make("dt", {}, name),
        make("dd", {}, number.toLocaleString(), of ? make("small", {}, ` ${of}`) : null))));
  document.title = lost ? `${lost} lost – cosem gateway` : "cosem gateway";
}

/** Tell who only listens which devices were lost and found since the last time. */
function news(found) {
  const before = states;
  states = new Map(found.map((each) => [each.device, each.state]));
  if (before === null) return;
  const turned = (state) => found.filter((each) => each.state === state && before.has(each.device) && before.get(each.device) !== state)
    .map((each) => each.name || each.device);
  const [lost, back] = [turned("lost"), turned("answers")];
  const told = [lost.length ? `Lost: ${names(lost)}.` : "", back.length ? `Answers: ${names(back)}.` : ""].filter(Boolean).join(" ");
  if (told) $("news").textContent = told;
}

function outputs(found) {
  const head = make("tr", {}, ...["Output", "State", "Published"].map((each) => make("th", { scope: "col" }, each)));
  const rows = found.map((each) =>
    make("tr", {},
      make("td", {}, make("strong", {}, each.output), ` ${each.kind} ${each.address}`),
      make("td", { class: each.error ? "quality bad" : "quality" }, each.error || "delivers"),
      make("td", {}, each.published.toLocaleString())));
  put($("outputs"), found, found.length
    ? make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))
    : make("p", { class: "quiet" }, "There are none: values are shown here only."));
}

// -- devices ---------------------------------------------------------------------------------------------------------

function devices(found, changed) {
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
    const { element, open } = shown.get(each.device);
    if (element.open && (changed || open === null)) toggled(each.device); // null: it could not be asked before
  }
  choose();
}

function add(device) {
  const state = make("span", { class: "state" });
  const about = make("span", { class: "about" });
  const reason = make("span", { class: "about reason" });
  const inside = make("div", { class: "inside" });
  const element = make("details", { class: "device", id: `device-${device.device}`, ontoggle: () => toggled(device.device) },
    make("summary", {}, make("span", { class: "name" }, device.name || device.device), state, about, reason), inside);
  shown.set(device.device, { element, state, about, reason, inside, rows: new Map(), open: null, device });
  $("devices").append(element);
}

function update(on, device) {
  on.device = device;
  write(on.state, device.state);
  on.state.className = `state ${device.state === "lost" ? "lost" : device.state === "answers" ? "answers" : "waiting"}`;
  const last = device.last_success === null ? "never answered" : `last answer ${ago(device.last_success)}`;
  const against = Object.entries(device.qualities).filter(([word]) => word !== "good");
  const doubts = against.map(([word, count]) => `${count} ${word}`).join(", ");
  write(on.about, [device.driver, device.line, last, doubts].filter(Boolean).join(" · "));
  write(on.reason, device.state === "lost" ? device.error ?? "" : "");
  if (on.open) health(on);
}

function toggled(alias) {
  const on = shown.get(alias);
  on.rows.clear();
  on.open = null;
  if (on.element.open) {
    attempt(on.inside, () => opened(on));
  } else {
    on.inside.replaceChildren();
    listen();
  }
}

async function opened(on) {
  const found = parse(await (await ask(`api/devices/${encodeURIComponent(on.device.device)}`)).text());
  if (!on.element.open) return;
  const head = make("tr", {},
    make("th", { scope: "col" }, "Signal"), make("th", { scope: "col", class: "value" }, "Value"),
    make("th", { scope: "col" }, "Quality"), make("th", { scope: "col" }, "Time"));
  const body = make("tbody");
  on.rows.clear();
  for (const signal of found.signals) {
    const row = {
      signal, value: make("td", { class: "value" }, "–"), quality: make("td", { class: "quality" }, "not read yet"),
      time: make("td", { class: "time" }), plot: null, unit: signal.unit,
    };
    row.button = make("button", { class: "plain", type: "button", title: "Show a plot", "aria-expanded": "false", onclick: () => plot(row) },
      signal.name || signal.signal);
    row.element = make("tr", { "data-signal": signal.signal }, make("td", {}, row.button), row.value, row.quality, row.time);
    on.rows.set(signal.signal, row);
    body.append(row.element);
  }
  on.open = { why: make("div"), counters: make("dl", { class: "counters" }), frames: make("div") };
  const buttons = make("div", { class: "buttons" },
    make("button", { type: "button", onclick: () => attempt(on.open.frames, () => frames(on)) }, "Show the last frames"));
  const table = make("table", { class: "signals" }, make("thead", {}, head), body);
  on.inside.replaceChildren(on.open.why, table, on.open.counters, buttons, on.open.frames);
  health(on);
  for (const sample of found.samples) take(sample, false);
  listen();
}

function health(on) {
  const device = on.device;
  const causes = device.causes.length ? make("ul", {}, ...device.causes.map((each) => make("li", {}, each))) : null;
  const since = device.lost_since ? make("p", { class: "quiet" }, `Lost since ${time(device.lost_since)}.`) : null;
  put(on.open.why, [device.error, device.causes, device.remedy, device.lost_since],
    device.error ? make("div", { class: "why" },
      make("p", {}, make("strong", {}, device.error)),
      causes, device.remedy ? make("p", {}, `Try: ${device.remedy}`) : null, since) : null);
  const counters = Object.entries(device.counters);
  put(on.open.counters, counters, ...counters.map(([name, count]) =>
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
      if (row.plot) draw(row).catch(() => {}); // the next value draws it again
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
      if (data) take(parse(data.slice(6)), true);
    }
  }
}

// -- plots and frames ------------------------------------------------------------------------------------------------

function plot(row) {
  if (row.plot) {
    row.plot.remove();
    row.plot = null;
  } else {
    row.plot = make("tr", { class: "plotted" }, make("td", { colspan: 4 }));
    row.element.after(row.plot);
    attempt(row.plot.firstChild, () => draw(row));
  }
  row.button.setAttribute("aria-expanded", String(row.plot !== null));
}

async function draw(row) {
  const spots = await (await ask(`api/signals/${encodeURIComponent(row.signal.signal)}/history`)).json();
  if (!row.plot) return;
  const made = plotted(row.signal.name || row.signal.signal, row.unit, spots);
  const list = row.plot.querySelector("details");
  if (list?.open) made.querySelector("details")?.setAttribute("open", "");
  row.plot.firstChild.replaceChildren(made);
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
  let found = 0;
  for (const [alias, on] of shown) {
    const device = on.device;
    const words = [alias, device.name, device.description, device.line, device.driver, ...(signalsOf?.get(alias) ?? [])];
    const fits = !text || words.some((each) => each.toLowerCase().includes(text));
    on.element.hidden = !fits || (lost && device.state !== "lost");
    if (!on.element.hidden) found += 1;
  }
  $("nothing").hidden = found > 0;
}

$("filter").addEventListener("input", () => attempt($("nothing"), async () => {
  if (signalsOf === null) {
    const found = new Map();
    for (const each of await (await ask("api/points")).json()) {
      const of = found.get(each.device) ?? [];
      of.push(each.signal, each.name);
      found.set(each.device, of);
    }
    signalsOf = found;
  }
  choose();
}));
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

refresh();
