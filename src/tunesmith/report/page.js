"use strict";
// The chart that answers to the mouse. Text from the data only ever becomes text nodes, never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, phases, storages, categories, modules, operations, card, peak, colors } = data;
  const parts = categories.map((category) => columns.parts[category]);
  const chart = document.getElementById("chart");
  const tip = document.getElementById("tip");
  const LEFT = 58, RIGHT = 10, TOP = 30, PLOT = 330, BELOW = 50, COLUMN = 2, NARROWEST = 10, FURTHEST = 2.6;
  const GROUPS = 14;
  const state = { lang: data.lang, zoom: null, hidden: new Set(), at: peak.column, held: false };
  let view = null;

  const word = (key) => data.words[state.lang][key] ?? key;
  const categoryName = (category) => word("category " + category);
  const phaseName = (name) => data.words[state.lang]["phase " + name] ?? name;

  function readable(count) {
    for (const [name, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (Math.abs(count) >= size) {
        return (count / size).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }) + " " + name;
      }
    }
    return count + " B";
  }

  function node(space, name, attributes, ...children) {
    const made = space === "svg" ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  const svg = (name, attributes, ...children) => node("svg", name, attributes, ...children);
  const html = (name, attributes, ...children) => node("html", name, attributes, ...children);

  // ---- from columns to pixels -------------------------------------------------------------------------------

  function layout() {
    const width = Math.max(320, chart.clientWidth), plot = width - LEFT - RIGHT;
    const shown = state.zoom === null ? phases : [phases[state.zoom]];
    const roots = shown.map((phase) => Math.sqrt(phase.end - phase.start));
    const whole = roots.reduce((a, b) => a + b, 0), floor = Math.min(NARROWEST, plot / shown.length);
    let left = LEFT;
    const spans = shown.map((phase, index) => {
      const pixels = floor + (plot - floor * shown.length) * roots[index] / whole;
      const span = { phase, left, right: left + pixels };
      left += pixels;
      return span;
    });
    const bins = spans.flatMap(binsOf);
    const complete = state.hidden.size === 0;
    let top = Math.max(...bins.map((bin) => complete ? Math.max(bin.held, bin.total) : bin.total));
    const scaled = complete && card !== null && card.memory_bytes <= FURTHEST * top;
    if (scaled) top = Math.max(top, card.memory_bytes);
    const ceiling = Math.max(1, top * 1.06);
    return { width, plot, spans, bins, scaled, ceiling, y: (count) => TOP + PLOT - PLOT * count / ceiling };
  }

  function binsOf({ phase, left, right }) {
    const count = phase.stop - phase.first, wanted = Math.max(1, Math.min(count, Math.ceil((right - left) / COLUMN)));
    const bins = [];
    for (let bin = 0; bin < wanted; bin++) {
      const first = phase.first + Math.floor(bin * count / wanted);
      const stop = phase.first + Math.floor((bin + 1) * count / wanted);
      let at = first, total = -1, held = 0;
      for (let column = first; column < stop; column++) {
        const visible = shownBytes(column);
        if (visible > total) [at, total] = [column, visible];
        held = Math.max(held, columns.reserved_bytes[column]);
      }
      bins.push({ at, total, held, left: left + (right - left) * bin / wanted, right: left + (right - left) * (bin + 1) / wanted });
    }
    return bins;
  }

  function shownBytes(column) {
    if (state.hidden.size === 0) return columns.allocated_bytes[column];
    return parts.reduce((sum, part, index) => state.hidden.has(index) ? sum : sum + part[column], 0);
  }

  function stairs(bins, heights) {
    const round = (value) => Math.round(value * 10) / 10;
    let path = `M${round(bins[0].left)} ${round(heights[0])}`;
    bins.forEach((bin, index) => { path += `H${round(bin.left)}V${round(heights[index])}`; });
    return path + `H${round(bins[bins.length - 1].right)}`;
  }

  // ---- drawing ----------------------------------------------------------------------------------------------

  function draw() {
    view = layout();
    const height = TOP + PLOT + BELOW, viewBox = `0 0 ${view.width} ${height}`; // by which paper scales it
    const root = svg("svg", { class: "live", width: view.width, height, viewBox, role: "img" });
    root.append(svg("rect", { class: "ground", x: LEFT, y: TOP, width: view.plot, height: PLOT }));
    drawGrid(root);
    drawStack(root);
    drawCard(root);
    drawPhases(root);
    drawPeak(root);
    view.cross = root.appendChild(svg("line", { class: "cross", y1: TOP, y2: TOP + PLOT }));
    root.addEventListener("pointermove", (event) => { if (!state.held) point(event); });
    root.addEventListener("pointerleave", () => { if (!state.held) show(home(), false); });
    root.addEventListener("click", (event) => {
      if (event.target.classList.contains("phase")) return;
      state.held = !state.held;
      point(event);
    });
    chart.replaceChildren(root);
    show(state.at, !tip.hidden);
  }

  function drawGrid(root) {
    const [unit, name] = view.ceiling >= 2 ** 31 ? [2 ** 30, "GiB"] : [2 ** 20, "MiB"];
    const most = view.ceiling / unit, power = 10 ** (Math.floor(Math.log10(most)) - 1);
    const step = [1, 2, 5, 10, 20].map((factor) => factor * power).find((size) => most / size <= 8);
    for (let tick = 0; tick * step <= most; tick++) {
      const y = view.y(tick * step * unit);
      root.append(svg("line", { class: "grid", x1: LEFT, x2: LEFT + view.plot, y1: y, y2: y }));
      if (y < TOP + 6) continue; // the unit stands there
      root.append(svg("text", { class: "faint", x: LEFT - 7, y: y + 4, "text-anchor": "end" }, String(+(tick * step).toPrecision(6))));
    }
    root.append(svg("text", { class: "faint", x: LEFT - 7, y: TOP - 6, "text-anchor": "end" }, name));
  }

  function drawStack(root) {
    const { bins, y } = view, base = TOP + PLOT;
    let sums = bins.map(() => 0);
    const areas = [];
    parts.forEach((part, index) => {
      if (state.hidden.has(index)) return;
      sums = sums.map((sum, bin) => sum + part[bins[bin].at]);
      areas.unshift(svg("path", { fill: colors[categories[index]], d: stairs(bins, sums.map(y)) + `V${base}H${bins[0].left}Z` }));
    });
    root.append(...areas);
    if (state.hidden.size === 0) root.append(svg("path", { class: "held", d: stairs(bins, bins.map((bin) => y(bin.held))) }));
  }

  function drawCard(root) {
    if (card === null || state.hidden.size > 0) return; // limits are for the whole stack
    const label = `${card.name} (${readable(card.memory_bytes)})`;
    if (!view.scaled) {
      root.append(svg("text", { class: "faint halo", x: LEFT + 8, y: TOP + 15 }, `${label}: ${word("above")} ↑`));
      return;
    }
    const y = view.y(card.memory_bytes), low = view.y(card.memory_bytes - card.context_bytes);
    root.append(svg("rect", { class: "context", x: LEFT, y, width: view.plot, height: low - y }, svg("title", {}, word("context"))));
    root.append(svg("line", { class: "limit", x1: LEFT, x2: LEFT + view.plot, y1: y, y2: y }));
    root.append(svg("text", { class: "warn halo", x: LEFT + 8, y: y - 5 }, label));
  }

  function drawPhases(root) {
    const base = TOP + PLOT;
    for (const { phase, left, right } of view.spans) {
      if (left > LEFT) root.append(svg("line", { class: "divide", x1: left, x2: left, y1: TOP, y2: base + 26 }));
      const surface = svg("rect", { class: "phase", x: left, y: base, width: right - left, height: 26 }, svg("title", {}, phaseName(phase.name)));
      surface.addEventListener("click", () => zoom(state.zoom === null ? phases.indexOf(phase) : null));
      const full = state.zoom === null ? momentName(phase.name) : phaseName(phase.name);
      const text = [full, { forward: "fwd", backward: "bwd" }[full] ?? full].find((name) => name.length * (state.lang === "zh" ? 12 : 6.2) < right - left);
      if (text) {
        root.append(svg("text", { x: (left + right) / 2, y: base + 17, "text-anchor": "middle", "pointer-events": "none" }, text));
      }
      root.append(surface);
    }
    if (state.zoom === null) drawSteps(root, base);
  }

  function momentName(phase) {
    const moment = phase.replace(/^.*\./, ""), told = phaseName(phase);
    return state.lang === "zh" && told !== phase ? told.slice(phase.length + 1, -1) : moment;
  }

  function drawSteps(root, base) {
    const stepOf = (span) => /^step(\d+)\./.exec(span.phase.name)?.[1] ?? "";
    for (let index = 0; index < view.spans.length;) {
      const step = stepOf(view.spans[index]), left = view.spans[index].left;
      while (index < view.spans.length && stepOf(view.spans[index]) === step) index++;
      const right = view.spans[index - 1].right;
      const text = step === "" ? word(left > LEFT ? "after" : "setup") : state.lang === "zh" ? `第 ${step} ${word("step")}` : `${word("step")} ${step}`;
      root.append(svg("path", { class: "edge", d: `M${left + 2} ${base + 28}v4H${right - 2}v-4` }));
      if (right - left > 44) root.append(svg("text", { class: "faint", x: (left + right) / 2, y: base + 46, "text-anchor": "middle" }, text));
    }
  }

  function drawPeak(root) {
    const bin = view.bins.find((candidate) => candidate.at === peak.column);
    if (!bin || state.hidden.size > 0) return;
    const x = (bin.left + bin.right) / 2, total = columns.allocated_bytes[peak.column];
    root.append(svg("line", { class: "cross", x1: x, x2: x, y1: TOP - 6, y2: view.y(total) }));
    root.append(svg("circle", { class: "dot", cx: x, cy: view.y(total), r: 4 }));
    const middle = Math.min(Math.max(x, LEFT + 60), LEFT + view.plot - 60);
    root.append(svg("text", { x: middle, y: TOP - 10, "text-anchor": "middle", "font-weight": 650 }, `${word("peak")} ${readable(total)}`));
  }

  // ---- one instant ------------------------------------------------------------------------------------------

  function point(event) {
    const x = event.clientX - chart.getBoundingClientRect().left;
    const bin = view.bins.find((candidate) => x < candidate.right) ?? view.bins[view.bins.length - 1];
    show(bin.at, true);
  }

  function show(column, near) {
    state.at = column;
    const bin = view.bins.findLast((candidate) => candidate.at <= column) ?? view.bins[0];
    const x = (bin.left + bin.right) / 2;
    view.cross.setAttribute("x1", x);
    view.cross.setAttribute("x2", x);
    view.cross.setAttribute("visibility", near ? "visible" : "hidden");
    const phase = phases.find((candidate) => column < candidate.stop);
    const where = [phaseName(phase.name), modules[columns.module[column]], operations[columns.operation[column]]].filter(Boolean).join(" · ");
    document.getElementById("when").textContent = word(column === peak.column ? "at_peak" : "at_instant");
    document.getElementById("where").textContent = `${where} · ${word("event")} ${columns.event[column].toLocaleString("en-US")}`;
    fillParts(column);
    fillAlive(column);
    tip.hidden = !near;
    if (!near) return;
    tip.replaceChildren(
      html("b", {}, `${readable(columns.allocated_bytes[column])} ${word("allocated")}`),
      html("span", {}, `${readable(columns.reserved_bytes[column])} ${word("reserved")}`),
      html("span", { class: "soft" }, html("bdi", {}, where)),
    );
    const left = x < view.width / 2 ? x + 14 : x - 14 - tip.offsetWidth;
    tip.style.transform = `translate(${Math.max(0, left)}px, ${TOP + 8}px)`;
  }

  // Where a reader who points at nothing is: the peak of the run, or of the phase that is zoomed.
  function home() {
    if (state.zoom === null) return peak.column;
    const { first, stop } = phases[state.zoom], totals = columns.allocated_bytes.slice(first, stop);
    return first + totals.indexOf(Math.max(...totals));
  }

  function fillParts(column) {
    const total = columns.allocated_bytes[column];
    const rows = parts.map((part, index) => [categories[index], part[column]]).filter(([, count]) => count > 0).reverse();
    document.querySelector("#parts tbody").replaceChildren(...rows.map(([category, count]) => html("tr", {},
      html("td", {}, swatch(category), " ", categoryName(category)),
      html("td", { class: "figure soft" }, count.toLocaleString("en-US")),
      html("td", { class: "figure" }, readable(count)),
      html("td", { class: "figure" }, (100 * count / total).toFixed(1) + "%"))));
    const sums = { allocated: total, reserved: columns.reserved_bytes[column] };
    sums.process = sums.reserved + (card?.context_bytes ?? 0);
    if (column === peak.column) Object.assign(sums, { reserved: data.estimate.peak.reserved_bytes, process: data.estimate.peak.process_bytes });
    for (const [name, count] of Object.entries(sums)) {
      const cells = document.querySelector(`#parts tr.${name}`).cells;
      cells[1].textContent = count.toLocaleString("en-US");
      cells[2].textContent = readable(count);
    }
  }

  function fillAlive(column) {
    const event = columns.event[column], groups = new Map();
    let told = 0;
    for (let index = 0; index < storages.birth.length; index++) {
      if (storages.birth[index] > event || storages.end[index] <= event) continue;
      const module = modules[storages.module[index]].replace(/^base_model\.model(\.|$)/, "");
      const pattern = module.replace(/(?<![^.])\d+(?![^.])/g, "*"), operation = operations[storages.operation[index]].replace(/^.*::/, "");
      const key = [storages.category[index], pattern, operation].join(" ");
      const group = groups.get(key) ?? { category: categories[storages.category[index]], module: pattern, operation, count: 0, bytes: 0 };
      group.count += 1;
      group.bytes += storages.bytes[index];
      told += storages.bytes[index];
      groups.set(key, group);
    }
    const largest = [...groups.values()].sort((a, b) => b.bytes - a.bytes);
    const rest = columns.allocated_bytes[column] - told + largest.slice(GROUPS).reduce((sum, group) => sum + group.bytes, 0);
    const rows = largest.slice(0, GROUPS).map((group) => html("tr", {},
      html("td", {}, categoryName(group.category)),
      html("td", {}, html("bdi", {}, group.module)),
      html("td", {}, html("bdi", {}, group.operation)),
      html("td", { class: "figure" }, group.count.toLocaleString("en-US")),
      html("td", { class: "figure" }, readable(group.bytes))));
    if (rest > 0) {
      rows.push(html("tr", {}, html("td", {}, word("smaller")), html("td", {}), html("td", {}), html("td", {}), html("td", { class: "figure" }, readable(rest))));
    }
    document.querySelector("#alive tbody").replaceChildren(...rows);
  }

  function swatch(category) {
    return svg("svg", { width: 12, height: 12 }, svg("rect", { width: 12, height: 12, rx: 2, fill: colors[category] }));
  }

  // ---- what can be chosen -----------------------------------------------------------------------------------

  function drawChips() {
    const chips = categories.map((category, index) => {
      const chip = html("button", { type: "button", "aria-pressed": String(!state.hidden.has(index)) }, swatch(category), categoryName(category));
      chip.addEventListener("click", () => {
        if (!state.hidden.delete(index)) state.hidden.add(index);
        if (state.hidden.size === categories.length) state.hidden.clear();
        drawChips();
        draw();
      });
      return chip;
    });
    const whole = document.getElementById("whole");
    whole.textContent = `↩ ${word("whole")}`;
    whole.hidden = state.zoom === null;
    document.getElementById("chips").replaceChildren(...chips);
  }

  function zoom(index) {
    state.zoom = index;
    state.held = false;
    tip.hidden = true;
    state.at = home();
    for (const row of document.querySelectorAll("#phases tbody tr")) {
      row.classList.toggle("zoomed", index !== null && row.dataset.phase === phases[index].name);
    }
    drawChips();
    draw();
  }

  function speak(lang) {
    state.lang = lang;
    document.documentElement.lang = lang === "zh" ? "zh-Hans" : lang;
    for (const element of document.querySelectorAll("[data-en]")) element.textContent = element.dataset[lang];
    for (const button of document.querySelectorAll("[data-lang]")) button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
    drawChips();
    draw();
  }

  function steer(event) {
    const bin = view.bins.findIndex((candidate) => candidate.at === state.at);
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) {
      const next = Math.min(Math.max(bin + move, 0), view.bins.length - 1);
      state.held = true;
      show(view.bins[next].at, true);
      event.preventDefault();
    } else if (event.key === "Escape") {
      zoom(null);
    }
  }

  for (const row of document.querySelectorAll("#phases tbody tr")) {
    const index = phases.findIndex((phase) => phase.name === row.dataset.phase);
    if (index >= 0) row.addEventListener("click", () => { zoom(state.zoom === index ? null : index); chart.scrollIntoView({ block: "center" }); });
  }
  for (const button of document.querySelectorAll("[data-lang]")) button.addEventListener("click", () => speak(button.dataset.lang));
  document.getElementById("whole").addEventListener("click", () => zoom(null));
  chart.tabIndex = 0;
  chart.addEventListener("keydown", steer);
  document.getElementById("phases").classList.add("live");
  document.querySelector(".langs").hidden = false;
  document.getElementById("hint").hidden = false;
  window.addEventListener("resize", draw);
  window.addEventListener("beforeprint", () => { tip.hidden = true; });
  speak(state.lang);
})();
