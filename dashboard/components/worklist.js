// The worklist's table: real links, sortable columns, a small course on a true time axis in each row.
// Every text is put in as text, never as markup.
// The page orders them all, by the column of this name, before it sends the first hundred.
const COLUMNS = [
  { head: "Patient", column: "patient" },
  { head: "Age", column: "age", cls: "n" },
  { head: "Last study", column: "last_study" },
  { head: "5-year risk", column: "risk", cls: "n", hint: "Cancer within 5 years, in brackets the interval." },
  { head: "Since prior, points", column: "change", cls: "n", hint: "Change of 5-year risk since the visit before, in percentage points. Grey: within what positioning makes." },
  { head: "Course", hint: "5-year risk over all scored visits, on a true time axis; dashed line 1.7 %. Thin and grey: within what positioning makes." },
  { head: "Density", column: "density" },
  { head: "Next due", column: "next_due" },
  { head: "Alert", column: "alert" },
]
const SVG = "http://www.w3.org/2000/svg"

const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

function sparkline(course, threshold) {
  const width = 120, height = 28
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("width", width)
  svg.setAttribute("height", height)
  svg.setAttribute("role", "img")
  svg.setAttribute("aria-label", course.map(([day, , text]) => `${day} ${text}`).join(", "))
  if (!course.length) return svg
  const times = course.map(([day]) => Date.parse(day))
  const first = Math.min(...times), span = Math.max(...times) - first || 1
  const top = Math.max(...course.map(([, risk]) => risk), threshold * 1.5)
  const x = (i) => (course.length === 1 ? width - 4 : 3 + ((times[i] - first) / span) * (width - 7))
  const y = (risk) => height - 3 - (risk / top) * (height - 6)
  const put = (name, attributes) => {
    const shape = document.createElementNS(SVG, name)
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value)
    svg.append(shape)
  }
  put("line", { x1: 0, x2: width, y1: y(threshold), y2: y(threshold), stroke: "#C5CCD4", "stroke-dasharray": "2 3" })
  for (let i = 1; i < course.length; i++) {
    const step = course[i][3]
    if (!step) continue // by other weights: the two are not joined
    const longGap = times[i] - times[i - 1] > 3 * 365.25 * 864e5
    put("line", { x1: x(i - 1), y1: y(course[i - 1][1]), x2: x(i), y2: y(course[i][1]), stroke: step === "noise" ? "#9AA5B1" : "#1F2937",
      "stroke-width": step === "noise" ? 1 : 1.5, ...(longGap ? { "stroke-dasharray": "2 3" } : {}) })
  }
  course.forEach(([, risk], i) => put("circle", { cx: x(i), cy: y(risk), r: i === course.length - 1 ? 3 : 1.5, fill: "#1F2937" }))
  return svg
}

function rowOf(r, open) {
  const row = element("tr")
  const cell = (cls) => row.appendChild(element("td", cls))
  const who = cell()
  const link = element("a", "", r.label)
  link.title = r.label
  link.href = `/patient?mrn=${encodeURIComponent(r.mrn)}`
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
  if (r.mrn_line) who.append(element("small", "", r.mrn_line))
  cell("n").textContent = r.age ?? "–"
  const last = cell("nowrap")
  last.textContent = r.last_study ?? "–"
  if (r.status_text) {
    const status = element("small", r.status === "pending" ? "pending" : "status", r.status_text)
    status.title = r.status_hint
    last.append(status)
  }
  const risk = cell("n nowrap")
  const value = element("span", `risk ${r.band ?? ""} ${r.told ? "" : "untold"}`)
  value.append(element("span", "", r.risk_text), " ", element("span", "interval", r.interval_text))
  value.title = r.risk_hint
  risk.append(value)
  const change = cell("n nowrap")
  const direction = r.change > 0.0005 ? "up" : r.change < -0.0005 ? "down" : ""
  change.append(element("span", r.change_note ? "noise" : direction, r.change_text))
  if (r.change_note) change.append(element("small", "noise", r.change_note))
  change.title = r.change_hint
  cell().append(sparkline(r.course, r.threshold))
  const density = cell()
  density.textContent = r.density ?? "–"
  density.title = r.density_hint
  const due = cell("nowrap")
  due.textContent = r.next_due ?? "–"
  due.title = r.due_hint
  if (r.overdue) due.append(element("small", "status", "overdue"))
  const alerts = cell()
  if (!r.alerts.length) alerts.append(r.why ? element("small", "", r.why) : "–")
  for (const text of r.alerts) alerts.append(element("span", "alert", text))
  row.tabIndex = 0
  row.addEventListener("click", () => open(r.mrn))
  row.addEventListener("keydown", (event) => event.key === "Enter" && open(r.mrn))
  return row
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".list")
  if (!root) {
    root = element("div", "list")
    parentElement.append(root)
  }
  const open = (mrn) => setTriggerValue("open", mrn)

  const table = element("table")
  const head = table.createTHead().insertRow()
  for (const { head: words, column, cls, hint } of COLUMNS) {
    const th = element("th", cls ?? "")
    th.scope = "col"
    if (column) {
      const { descending } = data.order
      const isBy = data.order.column === column
      // Descending, then ascending, then what needs a look first again.
      const next = isBy && !descending ? { column: "", descending: true } : { column, descending: !isBy }
      const button = element("button", "", words)
      button.dataset.column = column
      if (isBy) {
        const arrow = element("span", "", descending ? " ↓" : " ↑")
        arrow.ariaHidden = "true"
        button.append(arrow)
      }
      button.addEventListener("click", () => setTriggerValue("order", next))
      th.append(button)
      th.ariaSort = isBy ? (descending ? "descending" : "ascending") : "none"
      const does = !next.column ? "what needs a look first" : next.descending ? "descending" : "ascending"
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
  // The table is made anew: whoever is at a header or a row by keys stays there.
  const held = root.querySelector("button:focus, tr:focus")?.dataset
  root.replaceChildren(table)
  if (held?.column) root.querySelector(`button[data-column="${held.column}"]`)?.focus({ preventScroll: true })
  if (held?.mrn) root.querySelector(`tr[data-mrn="${CSS.escape(held.mrn)}"]`)?.focus({ preventScroll: true })
  if (data.focus && root.dataset.focused !== data.focus) {
    root.dataset.focused = data.focus
    root.querySelector("tr.focus")?.scrollIntoView({ block: "center" })
  }
}
