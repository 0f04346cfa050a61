// The worklist's table: real links, sortable columns, a small course on a true time axis in each row.
// Every text is put in as text, never as markup. pixels.js and keys.js stand before this file.
// One Tab stop: the row that was reached last. ↑ ↓ go from row to row, ↑ from the first to the heads, ← → along them.
// The page orders all women, by the column of this name, before it sends the first hundred.
const COLUMNS = [
  { head: "Patient", column: "patient", hint: "Beneath: age, and density as the reader has it, else the model." },
  { head: "Last study", column: "last_study" },
  { head: "5-year risk", column: "risk", cls: "n", hint: "Cancer within 5 years, in brackets the interval." },
  { head: "Since prior", column: "change", cls: "n", hint: "Change of 5-year risk since the visit before: how many times it is, and in percentage points. Grey: within what positioning makes." },
  { head: "Slope a year", column: "slope", cls: "n wide", hint: "Percentage points of 5-year risk a year over all her visits, with the 95 % interval. Grey where it holds 0." },
  { head: "Course", hint: "5-year risk over all scored visits, on a true time axis and on one log scale for all rows: 0.3 to 30 %. Dashed: 1.7 %. Hollow: views were missing. Thin and grey: within what positioning makes." },
  { head: "Last assessment", column: "assessed", hint: "BI-RADS, and who recorded it. Beneath: what it waits for." },
  { head: "Looked", cls: "wide", hint: "Who has opened her record, the last first." },
  { head: "Next due", column: "next_due" },
  { head: "Alert", column: "alert", hint: "What asks for a look, the most urgent first, and for how long." },
]
const KEYS = [
  ["↑ ↓", "row by row; ↑ from the first row to the heads"],
  ["← →", "along the heads, Enter orders"],
  ["Home End", "first and last row"],
  ["Enter", "open the patient"],
]
const SVG = "http://www.w3.org/2000/svg"
const LOWEST = Math.log(0.003), HIGHEST = Math.log(0.3)
const YEAR = 365.25 * 864e5

function sparkline(course, threshold) {
  const width = 120, height = 36
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("width", width)
  svg.setAttribute("height", height)
  if (!course.length) {
    svg.setAttribute("aria-hidden", "true")
    return svg
  }
  svg.setAttribute("role", "img")
  svg.setAttribute("aria-label", course.map(([day, , text]) => `${day} ${text}`).join(", "))
  const times = course.map(([day]) => Date.parse(day))
  const first = Math.min(...times), span = Math.max(...times) - first || 1
  const x = (i) => (course.length === 1 ? width - 5 : 4 + ((times[i] - first) / span) * (width - 9))
  const y = (risk) => {
    const share = (Math.log(Math.max(risk, 1e-9)) - LOWEST) / (HIGHEST - LOWEST)
    return height - 4 - Math.min(1, Math.max(0, share)) * (height - 8)
  }
  const put = (name, attributes) => {
    const shape = document.createElementNS(SVG, name)
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value)
    svg.append(shape)
  }
  // As long as it holds for her: a visit before or after her screening ages stands beside no line.
  if (threshold) {
    const placed = (day) => (course.length === 1 ? (Date.parse(day) <= first ? 0 : width) : 4 + ((Date.parse(day) - first) / span) * (width - 9))
    const clamp = (at) => Math.min(width, Math.max(0, at))
    const [x1, x2] = [clamp(placed(threshold.from)), clamp(placed(threshold.until))]
    if (x2 > x1) put("line", { class: "threshold", x1, x2, y1: y(threshold.risk), y2: y(threshold.risk), stroke: "#C5CCD4", "stroke-dasharray": "2 3" })
  }
  for (let i = 1; i < course.length; i++) {
    const step = course[i][4]
    if (!step) continue // by other weights: the two are not joined
    const longGap = times[i] - times[i - 1] > 3 * YEAR
    put("line", { x1: x(i - 1), y1: y(course[i - 1][1]), x2: x(i), y2: y(course[i][1]), stroke: step === "noise" ? "#9AA5B1" : "#1F2937",
      "stroke-width": step === "noise" ? 1 : 1.75, ...(longGap ? { "stroke-dasharray": "2 3" } : {}) })
  }
  course.forEach(([, risk, , complete], i) => put("circle", { cx: x(i), cy: y(risk), r: i === course.length - 1 ? 3 : 1.75,
    fill: complete ? "#1F2937" : "#fff", stroke: "#1F2937", "stroke-width": complete ? 0 : 1.25 }))
  return svg
}

function rowOf(r, open) {
  const row = element("tr")
  const cell = (cls) => row.appendChild(element("td", cls))
  const who = cell("who")
  const link = element("a", "", r.label)
  link.title = r.label
  link.href = `/patient?patient=${encodeURIComponent(r.key)}`
  link.tabIndex = -1
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) {
      event.stopPropagation()
      return
    }
    event.preventDefault()
  })
  const name = element("span", "name")
  name.append(link)
  if (r.simulated) name.append(element("span", "badge", "simulated"))
  who.append(name)
  if (r.about) {
    const about = element("small", "", r.about)
    about.title = r.about_hint
    who.append(about)
  }
  const last = cell("nowrap")
  last.textContent = r.last_study ?? "–"
  if (r.status_text) {
    const status = element("small", r.status === "refused" ? "status" : "pending", r.status_text)
    status.title = r.status_hint
    last.append(status)
  }
  const risk = cell("n nowrap")
  const value = element("span", `risk ${r.band ?? ""} ${r.told ? "" : "untold"}`, r.risk_text)
  risk.append(value)
  if (r.interval_text) risk.append(element("small", "interval", r.interval_text))
  risk.title = r.risk_hint
  const change = cell("n nowrap")
  const direction = r.change > 0.0005 ? "up" : r.change < -0.0005 ? "down" : ""
  change.append(element("span", r.change_note ? "noise" : direction, r.factor_text || r.change_text))
  if (r.change_note) change.append(element("small", "noise", r.change_note))
  else if (r.factor_text) change.append(element("small", direction, r.change_text))
  change.title = r.change_hint
  const slope = cell("n nowrap wide")
  slope.append(element("span", r.slope_noise ? "noise" : "", r.slope_text))
  if (r.slope_interval) slope.append(element("small", r.slope_noise ? "noise" : "", r.slope_interval))
  slope.title = r.slope_hint
  cell().append(sparkline(r.course, r.threshold))
  const said = cell("said")
  said.append(element("span", "", r.said))
  if (r.said_by) said.append(element("small", "by", r.said_by))
  if (r.waits_for) said.append(element("small", "waits nowrap", r.waits_for))
  said.title = r.said_hint
  const looked = cell("wide looked")
  looked.append(element("span", "", r.looked))
  if (r.looked_on) looked.append(element("small", "nowrap", r.looked_on))
  looked.title = r.looked_hint
  const due = cell("nowrap")
  due.textContent = r.next_due ?? "–"
  due.title = r.due_hint
  if (r.overdue) due.append(element("small", "status", "overdue"))
  const alerts = cell("alerts")
  if (r.alerts.length) {
    const [most, ...others] = r.alerts
    alerts.append(element("span", `alert ${most.explained ? "explained" : ""}`, most.text))
    alerts.append(element("small", "under", [most.age, others.length ? `${others.length} more` : ""].filter(Boolean).join(" · ")))
    alerts.title = r.alerts.map((one) => `${one.text} (${one.age})`).join("\n")
  }
  for (const text of r.notices) alerts.append(element("small", "", text))
  if (!r.alerts.length && r.why) alerts.append(element("small", "", r.why))
  if (!alerts.childNodes.length) alerts.append("–")
  row.tabIndex = -1
  row.addEventListener("click", () => open(r.mrn))
  return row
}

// The first pictures of the woman who is opened, while her page is on its way.
async function askAhead(key) {
  const answer = await fetch(`/opens-with?patient=${encodeURIComponent(key)}`, { cache: "no-store" }).catch(() => null)
  if (answer?.ok) for (const uid of await answer.json()) fetchAhead(`/img/${encodeURIComponent(uid)}`)
}

// What the patient's page is drawn by, 5 MB of it, is read by the browser while the list is looked at, once.
const made = new Set()

function makeReady(files) {
  const own = document.querySelector("link[rel=modulepreload], script[type=module][src]")
  const next = files.filter((file) => !made.has(file))
  if (!own || !next.length) return
  const whenIdle = window.requestIdleCallback ?? ((run) => setTimeout(run, 500))
  for (const file of next) made.add(file)
  // One that is not there is missed by nobody: its own page asks for what it needs.
  whenIdle(() => next.forEach((file) => import(new URL(file, own.href).href).catch(() => {})), { timeout: 1000 })
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".list")
  if (!root) {
    root = element("div", "list")
    root.append(element("div", "place"), element("div", "said-aloud"))
    root.querySelector(".said-aloud").setAttribute("role", "status")
    parentElement.append(root)
    offerKeys(root, "Patients, once the focus is on one", KEYS)
  }
  const page = document.querySelector("[data-testid=stMain]")
  const open = (mrn) => {
    sessionStorage.setItem("longview-worklist", JSON.stringify({ mrn, top: page?.scrollTop ?? 0 }))
    setTriggerValue("open", mrn)
    askAhead(data.rows.find((one) => one.mrn === mrn)?.key ?? "")
  }
  makeReady(data.next ?? [])

  const table = element("table")
  table.ariaLabel = "Patients"
  const head = table.createTHead().insertRow()
  for (const { head: words, column, cls, hint } of COLUMNS) {
    const th = element("th", cls ?? "")
    th.scope = "col"
    if (column) {
      const { descending } = data.order
      const isBy = data.order.column === column
      // Descending, then ascending, then the group's own order again.
      const next = isBy && !descending ? { column: "", descending: true } : { column, descending: !isBy }
      const button = element("button", "", words)
      button.dataset.column = column
      button.tabIndex = -1
      if (isBy) {
        const arrow = element("span", "", descending ? " ↓" : " ↑")
        arrow.ariaHidden = "true"
        button.append(arrow)
      }
      button.addEventListener("click", () => setTriggerValue("order", next))
      th.append(button)
      th.ariaSort = isBy ? (descending ? "descending" : "ascending") : "none"
      const does = !next.column ? "the order of this group" : next.descending ? "descending" : "ascending"
      th.title = `${hint ? `${hint} ` : ""}Click: ${does}`
    } else {
      th.append(element("span", "head", words))
      th.title = hint
    }
    head.append(th)
  }
  const body = table.createTBody()
  for (const r of data.rows) {
    const row = rowOf(r, open)
    row.dataset.mrn = r.mrn
    if (r.mrn === data.focus) row.classList.add("focus")
    body.append(row)
  }
  const rows = [...body.rows], heads = [...head.querySelectorAll("button")]
  const rowAt = (mrn) => rows.find((row) => row.dataset.mrn === mrn)

  // The one Tab stop: the row reached last, else the one that was open last, else the first.
  const reach = (row) => {
    for (const other of rows) other.tabIndex = other === row ? 0 : -1
    root.dataset.reached = row?.dataset.mrn ?? ""
  }
  reach(rowAt(root.dataset.reached) ?? rowAt(data.focus) ?? rows[0])
  if (!rows.length && heads.length) heads[0].tabIndex = 0
  const go = (target) => {
    if (!target) return
    if (target.tagName === "TR") reach(target)
    target.focus()
    target.scrollIntoView({ block: "nearest" })
  }
  table.addEventListener("focusin", (event) => event.target.tagName === "TR" && reach(event.target))
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const at = rows.indexOf(event.target), place = heads.indexOf(event.target)
    const moves = {
      ArrowDown: () => (place >= 0 ? rowAt(root.dataset.reached) ?? rows[0] : rows[at + 1]),
      ArrowUp: () => (at === 0 ? heads.find((one) => one.dataset.column === data.order.column) ?? heads[0] : rows[at - 1]),
      ArrowRight: () => (place >= 0 ? heads[place + 1] : null),
      ArrowLeft: () => (place >= 0 ? heads[place - 1] : null),
      Home: () => (at >= 0 ? rows[0] : heads[0]),
      End: () => (at >= 0 ? rows.at(-1) : heads.at(-1)),
    }
    if (moves[event.key]) {
      go(moves[event.key]())
      event.preventDefault()
    } else if (event.key === "Enter" && at >= 0) open(event.target.dataset.mrn)
    else if (event.key === "?") {
      toggleKeys(root)
      event.preventDefault()
    }
  })

  // The table is made anew: whoever is at a header or a row by keys stays there.
  const held = root.querySelector("button:focus, tr:focus")?.dataset
  root.querySelector(".place").replaceChildren(table)
  const said = root.querySelector(".said-aloud")
  if (said.textContent !== data.says) said.textContent = data.says ?? ""
  if (held?.column) root.querySelector(`button[data-column="${held.column}"]`)?.focus({ preventScroll: true })
  if (held?.mrn) rowAt(held.mrn)?.focus({ preventScroll: true })
  if (data.focus && root.dataset.focused !== data.focus) {
    // Back from a patient: the same row, where it stood.
    root.dataset.focused = data.focus
    const row = rowAt(data.focus)
    const left = JSON.parse(sessionStorage.getItem("longview-worklist") ?? "null")
    sessionStorage.removeItem("longview-worklist")
    if (row) {
      reach(row)
      row.focus({ preventScroll: true })
      if (page && left?.mrn === data.focus) page.scrollTop = left.top
      else row.scrollIntoView({ block: "center" })
    }
  }
}
