// A woman's visits: one hung with another to compare it with, on black, and all of them in a strip below. Another visit
// is shown at once, from what the page has said of all of them; the page hears of it a moment later.
// pixels.js, keys.js, heat.js, pictures.js, frames.js, registered.js and pane.js stand before this file.
const KEYS = [
  ["1 … 8", "how the views are laid out (the menu names them)"],
  ["[  ]", "earlier, later visit"],
  ["{  }", "compare with an earlier, later one; Shift + click in the strip"],
  ["wheel, pinch, + −", "zoom at the pointer; the wheel scrolls the page until you click into the pictures"],
  ["Z", "100 %: one pixel of the image on one of the screen"],
  ["drag, two fingers, arrow keys", "move"],
  ["right drag, Shift + drag", "window: left–right contrast, up–down brightness"],
  ["Shift + arrow keys", "window by keys: ← → contrast, ↑ ↓ brightness"],
  ["W", "window as recorded, of the breast tissue, full range"],
  ["I", "invert"],
  ["G (hold)", "magnifying glass"],
  ["M", "calipers: draw a line, drag its ends; Backspace takes the last one away"],
  ["Enter, arrows, Enter", "with the calipers: a line from the middle of the view"],
  ["K", "keep one line (long axis) or two that cross (long and short) as a lesion's size"],
  ["O", "findings and kept calipers, shown or hidden"],
  ["H", "heat map: where the model looked"],
  ["Space", "flicker: the prior in the place of the current view, and back"],
  ["S", "swipe: prior at the left, current at the right of a line; , and . move it"],
  ["D", "difference: brighter where there is more than on the prior"],
  ["PageUp, PageDown", "earlier, later frame of a stack: MR, tomosynthesis, loops"],
  ["N, P", "next, previous view: keys act on the framed one"],
  ["double click, Enter", "one view alone, and back"],
  ["L", "link zoom, movement and window of all views"],
  ["R", "reset zoom, movement, window and tools"],
  ["O", "read the framed view by itself, with boxes to draw"],
  ["C", "compare on the whole window; Esc leads back"],
  ["F", "full screen"],
]
const WINDOWS = { 1: "As recorded", 2: "Tissue", 3: "Full range" }
const LEAST_HEIGHT = 420
const BELOW = 8 // what stays free under the viewer
const WIDE = 1200 // from this width on, course, pictures and assessment stand side by side
const ASK_AFTER_MS = 200
const WINDOW_STEP = 10 // of the window by keys, as pixels that a pointer is dragged
const asking = new Map() // what was handed to the page to be kept -> SOP UID of its view
let layoutChosen = null // survives a change of woman: a person's way of hanging

class Viewer {
  constructor(parent) {
    this.root = element("div", "viewer")
    this.root.tabIndex = 0
    this.root.setAttribute("role", "application")
    this.root.setAttribute("aria-label", "Image viewer; press ? for its keys")
    this.bar = element("div", "bar")
    this.bar.setAttribute("role", "toolbar")
    this.bar.setAttribute("aria-label", "Visit, layout and tools")
    this.bar.addEventListener("focusin", (event) => this.barStop(event.target))
    this.legend = heatLegend()
    this.grid = element("div", "grid")
    this.strip = element("div", "strip")
    this.strip.setAttribute("role", "listbox")
    this.strip.setAttribute("aria-label", "Visits")
    this.note = element("div", "note")
    this.status = element("div", "status-said")
    this.status.setAttribute("role", "status")
    this.root.append(this.bar, this.legend, this.grid, this.strip, this.note, this.status)
    parent.append(this.root)
    offerKeys(this.root, "Pictures, once the focus is in them", KEYS)
    Object.assign(this, { panes: [], single: null, pointer: null, frame: null, asked: 0 })
    this.root.addEventListener("keydown", (event) => this.key(event))
    this.root.addEventListener("keyup", (event) => {
      if (event.key.toUpperCase() === "G" && shared.tool === "lens") this.tool(null)
    })
    new ResizeObserver(() => this.redraw()).observe(this.grid)
    const size = () => this.size()
    window.addEventListener("resize", size)
    // What stands above may grow when it is drawn.
    const above = this.root.getRootNode().host?.closest("[data-testid=stMainBlockContainer]")
    if (above) new ResizeObserver(size).observe(above)
  }

  // As high as what is left of the window, so that the page need not be scrolled.
  size() {
    if (this.data?.whole || this.root.classList.contains("whole")) return
    const { host } = this.root.getRootNode()
    const main = host?.closest("[data-testid=stMain]") ?? document.scrollingElement
    // The column's content stays in sight while the page is scrolled: where it begins is told by the column.
    const column = host?.closest(".stColumn")
    const stuck = column ? column.firstElementChild.getBoundingClientRect().top - column.getBoundingClientRect().top : 0
    const top = this.root.getBoundingClientRect().top - stuck + main.scrollTop
    const room = window.innerWidth >= WIDE ? window.innerHeight - top - BELOW : window.innerHeight * 0.8
    const height = `${Math.round(Math.max(LEAST_HEIGHT, room))}px`
    if (this.root.style.height !== height) this.root.style.height = height
  }

  show(data) {
    const { current, prior, answered, kept, ...hung } = data
    this.forget(kept)
    const signature = JSON.stringify(hung)
    const fresh = signature !== this.signature
    this.signature = signature
    // The visits that are shown are told from others by themselves: while nothing is new, they stay the same ones.
    this.data = fresh ? data : { ...data, visits: this.data.visits, layouts: this.data.layouts }
    this.root.classList.toggle("whole", data.whole)
    this.asked = Math.max(this.asked, answered)
    // The page may answer an older wish while a newer one is under way to it.
    const heard = answered >= this.asked && !this.asking
    const moved = heard && (current !== this.current?.uid || (prior ?? null) !== (this.prior?.uid ?? null))
    if (!fresh && !moved) return
    // Another woman's pictures open without what the model says of them.
    if (this.current && !this.visit(this.current.uid)) shared.heat = false
    const now = heard || !this.current ? current : this.current.uid
    const then = heard || !this.current ? prior : this.prior?.uid
    const first = !this.current
    this.hang(this.visit(now) ?? data.visits.at(-1), this.visit(then))
    this.size()
    if (first && data.whole) this.activate(this.active)
  }

  visit(uid) {
    return this.data.visits.find((visit) => visit.uid === uid) ?? null
  }

  get layout() {
    const { layouts, opens_with: first } = this.data
    const every = layouts.find((layout) => !layout.rows.length)
    const hangs = layouts.some(({ rows }) => rows.flat().some(({ view }) => this.spec(this.current, view)))
    if (this.current.panes.length && !hangs) return every
    return layouts.find((layout) => layout.name === (layoutChosen ?? first)) ?? every
  }

  spec(visit, view) {
    return visit?.panes.find((spec) => spec.view === view) ?? null
  }

  // Shows one visit beside another; zoom and movement stay with whoever has set them.
  hang(current, prior) {
    told.clear() // what could not be had may be there again
    heats.forEach(({ heat }, uid) => heat ?? heats.delete(uid))
    const kept = this.panes.find((pane) => pane.picture)
    Object.assign(this, { current, prior, single: null })
    this.panes = this.places().map((place) => new Pane(place, this))
    const active = this.active && this.panes.find(({ spec, study }) => spec.view === this.active.spec.view && study === this.active.study)
    if (kept && shared.linked) for (const pane of this.panes) Object.assign(pane, { zoom: kept.zoom, along: kept.along, down: kept.down })
    this.active = active ?? this.panes.find((pane) => pane.spec.sop_uid) ?? this.panes[0]
    this.grid.classList.remove("single")
    const held = this.grid.contains(this.root.getRootNode().activeElement)
    this.grid.replaceChildren(...this.panes.map((pane) => pane.root))
    this.tabStop()
    if (held) this.activate(this.active)
    this.drawBar()
    this.drawStrip()
    this.redraw()
    this.readAhead()
  }

  places() {
    const { current, prior, layout } = this
    if (!layout.rows.length) {
      const all = current.panes.filter((spec) => spec.sop_uid)
      const columns = Math.min(all.length, Math.max(2, Math.ceil(Math.sqrt(1.6 * all.length))))
      this.grid.style.gridTemplateColumns = `repeat(${Math.max(1, columns)}, minmax(0, 1fr))`
      return all.map((spec) => this.place(spec, "now"))
    }
    const rows = layout.rows.map((row) => row.filter(({ study }) => study === "now" || prior)).filter((row) => row.length)
    this.grid.style.gridTemplateColumns = `repeat(${Math.max(...rows.map((row) => row.length))}, minmax(0, 1fr))`
    return rows.flatMap((row) => row.map(({ view, study }, at) => {
      const visit = study === "now" ? current : prior
      const missing = { sop_uid: null, view, side: view[0] === "R" ? "right" : "left", label: view.replace("-", " "), note: "",
        missing: `${view.replace("-", " ")} is not among the pictures of this visit.`, flipped: false }
      return { ...this.place(this.spec(visit, view) ?? missing, study), edge: at > 0 && row[at - 1].study !== study }
    }))
  }

  place(spec, study) {
    const other = study === "now" && spec.sop_uid ? this.spec(this.prior, spec.view) : null
    return { spec, study, on: (study === "now" ? this.current : this.prior).on, other: other?.sop_uid ? other : null, otherOn: this.prior?.on }
  }

  // What is likely to be asked for next is fetched while nobody waits.
  readAhead() {
    const there = this.panes.filter((pane) => pane.spec.sop_uid).map((pane) => load(pane.spec.sop_uid).promise)
    const { current } = this
    Promise.allSettled(there).then(() => {
      if (current !== this.current) return
      const at = this.data.visits.indexOf(current)
      for (const near of [this.data.visits[at - 1], this.data.visits[at + 1]]) {
        for (const spec of near?.panes ?? []) if (spec.sop_uid) load(spec.sop_uid)
      }
    })
  }

  choose(current, prior) {
    if (!current) return
    const before = this.visit(current.prior)
    const chosen = prior && prior !== current ? prior : before
    if (current === this.current && chosen === this.prior) return
    this.hang(current, chosen)
    this.status.textContent = `${current.on}${chosen ? `, compared with ${chosen.on}` : ""}`
    clearTimeout(this.asking)
    this.asking = setTimeout(() => {
      this.asking = null
      this.asked += 1
      this.tell({ current: current.uid, prior: chosen && chosen !== before ? chosen.uid : null, number: this.asked })
    }, ASK_AFTER_MS)
  }

  // The prior that a person has chosen stays when the visit changes; the one before each visit changes with it.
  get chosenPrior() {
    return this.prior && this.prior.uid !== this.current.prior ? this.prior : null
  }

  stepVisit(by, of = "current") {
    const { visits } = this.data
    const there = visits[visits.indexOf(this[of]) + by]
    if (!there) return
    if (of === "current") this.choose(there, this.chosenPrior)
    else if (there !== this.current) this.choose(this.current, there)
  }

  drawBar() {
    const held = this.root.getRootNode().activeElement?.dataset?.key
    const button = (text, key, pressed, title) => {
      const made = element("button", "", text)
      made.dataset.key = key
      made.title = `${title ?? text}: key ${key}`
      if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed))
      made.addEventListener("click", () => this.act(key))
      return made
    }
    const menu = (name, key, entries, chosen, choose) => {
      const made = element("select", name)
      made.dataset.key = `menu ${key}`
      made.setAttribute("aria-label", key)
      made.title = key
      for (const [value, text] of entries) made.append(Object.assign(element("option", "", text), { value }))
      made.value = chosen
      made.addEventListener("change", () => choose(made.value))
      return made
    }
    const { visits, layouts } = this.data
    const both = Boolean(this.prior)
    const dates = visits.map((visit) => [visit.uid, visit.on])
    const unseen = this.current.panes.filter((spec) => spec.sop_uid && !this.panes.some((pane) => pane.spec === spec)).length
    this.bar.replaceChildren(
      menu("current", "Visit", dates, this.current.uid, (uid) => this.choose(this.visit(uid), this.chosenPrior)),
      ...(both ? [
        element("span", "with", "with"),
        menu("prior", "Compared with", dates.filter(([uid]) => uid !== this.current.uid), this.prior.uid, (uid) => this.choose(this.current, this.visit(uid))),
      ] : []),
      ...(unseen && this.layout.rows.length && !this.rowsHide() ? [button(`+ ${unseen} more`, this.everyKey(), undefined, "Every image of this visit")] : []),
      element("span", "spring"),
      menu("layout", "Layout", layouts.map((layout) => [layout.name, `${layout.key}  ${layout.name}`]), this.layout.name, (name) => this.layOut(name)),
      menu("window", "Window, key W", [...Object.entries(WINDOWS), ...(shared.preset && !this.byHand() ? [] : [["", "By hand"]])], this.byHand() ? "" : shared.preset, (preset) => preset && this.preset(preset)),
      button("Invert", "I", shared.invert),
      button("Link", "L", shared.linked, "Link zoom, movement and window"),
      element("span", "gap"),
      button("Glass", "G", shared.tool === "lens", "Magnifying glass"),
      button("Calipers", "M", shared.tool === "calipers"),
      ...(this.canKeep ? [button("Keep", "K", undefined, "Keep the calipers as a lesion's long and short axis")] : []),
      ...(both ? [
        button("Flicker", "Space", shared.mode === "flicker"),
        button("Swipe", "S", shared.mode === "swipe"),
        button("Difference", "D", shared.mode === "difference"),
      ] : []),
      element("span", "gap"),
      button("Heat", "H", shared.heat, "Heat map: where the model looked"),
      ...(this.panes.some(({ spec }) => spec.findings?.length) ? [button("Lesions", "O", shared.marks, "Findings and kept calipers")] : []),
      button("100 %", "Z", undefined, "One pixel of the image on one of the screen"),
      button("Reset", "R"),
      this.data.whole ? button("Back", "Esc", undefined, "Back to her page") : button("Compare", "C", undefined, "Compare on the whole window"),
      button("?", "?", undefined, "All keys"),
    )
    this.legend.hidden = !shared.heat
    // The buttons are made anew: whoever pressed one by keys is still at it.
    const at = held && this.bar.querySelector(`[data-key="${held}"]`)
    this.barStop(at || this.bar.querySelector("[data-key]"))
    if (at) at.focus({ preventScroll: true })
  }

  // One way in for the Tab key; from there the arrows lead on.
  barStop(stop) {
    for (const part of this.bar.querySelectorAll("[data-key]")) part.tabIndex = part === stop ? 0 : -1
  }

  stepBar(from, by) {
    const parts = [...this.bar.querySelectorAll("[data-key]")]
    parts[(parts.indexOf(from) + by + parts.length) % parts.length].focus()
  }

  // A layout of one side or one view hides the others by intent.
  rowsHide() {
    return new Set(this.layout.rows.flat().map(({ view }) => view)).size < 4
  }

  everyKey() {
    return this.data.layouts.find((layout) => !layout.rows.length).key
  }

  byHand() {
    const { wider, brighter } = shared.linked || !this.active ? shared : this.active
    return Boolean(wider || brighter)
  }

  drawStrip() {
    const held = this.strip.contains(this.root.getRootNode().activeElement)
    this.strip.replaceChildren(...this.data.visits.map((visit) => this.chip(visit)))
    const chosen = this.strip.querySelector(".chosen")
    if (!chosen) return
    if (held) chosen.focus({ preventScroll: true })
    const [inner, outer] = [chosen.getBoundingClientRect(), this.strip.getBoundingClientRect()]
    this.strip.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2
  }

  chip(visit) {
    const chosen = visit === this.current
    const compared = visit === this.prior
    const chip = element("button", chosen ? "chosen" : compared ? "compared" : "")
    chip.setAttribute("role", "option")
    chip.setAttribute("aria-selected", String(chosen))
    chip.tabIndex = chosen ? 0 : -1
    chip.dataset.date = visit.on
    chip.title = (visit.step_hint ? `${visit.hint}, ${visit.step_hint}` : visit.hint) + visit.remarks
    const pair = element("span", "pair")
    for (const side of visit.thumbs.both ? ["both"] : ["right", "left"]) {
      const view = visit.thumbs[side]
      const picture = element(view ? "img" : "i", side + (view?.flipped ? " flipped" : ""))
      if (view) Object.assign(picture, { src: `/thumb/${encodeURIComponent(view.sop_uid)}`, alt: view.label, loading: "lazy" })
      else picture.title = `${side} not taken`
      pair.append(picture)
    }
    const first = element("span", "line")
    const risk = element("span", visit.told ? "" : "untold", visit.risk)
    if (visit.step) {
      const step = element("i", visit.step === "≈" ? "noise" : "", visit.step)
      step.title = visit.step_hint
      risk.prepend(step, " ")
    }
    first.append(element("b", "", visit.on), risk)
    const second = element("span", "line second")
    second.append(element("span", visit.warns ? "status" : "", compared ? "prior" : visit.note), element("span", "", visit.bi_rads))
    chip.append(pair, first, second)
    chip.addEventListener("click", (event) => {
      if (event.shiftKey) this.choose(this.current, visit)
      else this.choose(visit, this.chosenPrior)
    })
    return chip
  }

  // Screen pixels (CSS) of a stored one at zoom 1: all views to one scale in millimetres where every size is known.
  fit(pane) {
    const shown = this.panes.filter((one) => one.spec.sop_uid && one.root.clientWidth)
    const own = ({ root, spec }) => Math.min(root.clientWidth / spec.columns, root.clientHeight / spec.rows)
    if (shown.some(({ spec }) => !spec.spacing_mm || !spec.measured)) return own(pane)
    return Math.min(...shown.map((one) => own(one) / one.spec.spacing_mm)) * pane.spec.spacing_mm
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null
      this.panes.forEach((pane) => pane.draw())
    })
  }

  holdsWheel() {
    return this.data.whole || this.root.contains(this.root.getRootNode().activeElement)
  }

  hint() {
    if (this.hinted) return
    this.hinted = true
    this.say("Click into the pictures to zoom with the wheel.")
  }

  pointAt(pane, x, y) {
    this.pointer = pane ? { from: pane, x, y } : null
    this.redraw()
  }

  // Keys act on one view, the one with the focus; one that is missing takes none.
  activate(pane) {
    if (pane !== this.active) this.line = null
    this.active = pane
    this.tabStop()
    const target = pane?.spec.sop_uid ? pane.root : this.root
    target.focus({ preventScroll: true })
  }

  // One way in for the Tab key: the view that keys would act on.
  tabStop() {
    for (const pane of this.panes) if (pane.spec.sop_uid) pane.root.tabIndex = pane === this.active ? 0 : -1
    this.root.tabIndex = this.active?.spec.sop_uid ? -1 : 0
  }

  step(by) {
    const there = this.panes.filter((pane) => pane.spec.sop_uid)
    if (!there.length) return
    const at = there.indexOf(this.active)
    // From a place that has no view, forwards begins with the first and backwards with the last.
    const next = there.at(at < 0 ? Math.min(by, 0) : (at + by) % there.length)
    if (this.single) this.showAlone(next)
    this.activate(next)
  }

  follow(source) {
    if (shared.linked) {
      const { zoom, along, down } = source
      for (const pane of this.panes) if (pane !== source) Object.assign(pane, { zoom, along, down })
    }
    this.redraw()
  }

  windowBy(dx, dy) {
    const of = shared.linked ? shared : this.active
    const begins = !this.byHand()
    of.wider += dx
    of.brighter += dy
    if (begins) this.drawBar()
    this.redraw()
  }

  preset(name) {
    Object.assign(shared, { preset: name, wider: 0, brighter: 0 })
    this.panes.forEach((pane) => Object.assign(pane, { wider: 0, brighter: 0 }))
    this.drawBar()
    this.redraw()
  }

  tool(name) {
    this.line = null
    shared.tool = shared.tool === name ? null : name
    this.root.dataset.tool = shared.tool ?? ""
    this.drawBar()
    this.redraw()
  }

  mode(name) {
    if (!this.prior) return
    shared.mode = shared.mode === name ? null : name
    this.panes.forEach((pane) => pane.relabel())
    this.drawBar()
    this.redraw()
  }

  // A line of the calipers drawn by keys: it begins and ends with Enter.
  lineByKeys(pane) {
    if (!pane?.picture) return
    if (this.line) this.line = null
    else {
      const at = pane.toStored(pane.root.clientWidth / 2, pane.root.clientHeight / 2)
      this.line = [at, at]
      measures.set(pane.spec.sop_uid, [...(measures.get(pane.spec.sop_uid) ?? []), this.line])
    }
    pane.say()
    this.redraw()
  }

  moveEnd(pane, [dx, dy]) {
    const { scale } = pane.geometry()
    const [x, y] = this.line[1]
    this.line[1] = [x + ((pane.spec.flipped ? -1 : 1) * dx) / scale, y + dy / scale]
    pane.say()
    this.redraw()
  }

  takeBack(pane) {
    this.line = null
    measures.get(pane?.spec.sop_uid)?.pop()
    pane?.say()
    this.redraw()
  }

  get canKeep() {
    return Boolean(this.data.can_measure) && this.panes.some((pane) => pane.lines.length)
  }

  linesChanged() {
    if (this.data && this.current && this.canKeep !== Boolean(this.bar.querySelector("[data-key=K]"))) this.drawBar()
  }

  // Hands the lines of a view to the page, which asks of which lesion they are.
  keep() {
    if (!this.data.can_measure) return this.say("Keeping measurements is for who may assess.")
    const drawn = this.panes.filter((pane) => pane.lines.length)
    const pane = this.active?.lines.length ? this.active : drawn.length === 1 ? drawn[0] : null
    if (!pane) return this.say(drawn.length ? "Point at the view whose calipers you want to keep." : "Draw the calipers first: key M.")
    if (!pane.isWhole) return this.say(`Calipers are kept on frame ${pane.frames.whole.frame}, which stands for all of this image.`)
    this.line = null
    const [long, short, ...more] = [...pane.lines].sort((a, b) => lengthOf(b) - lengthOf(a))
    if (more.length) return this.say("Leave one or two lines: Backspace takes the last one away.")
    if (short && !ofOneLesion(long, short)) return this.say("These two do not cross: keep them one by one. Backspace takes the last one away.")
    const asked = `${Date.now()} ${Math.random()}`
    asking.set(asked, pane.spec.sop_uid)
    this.measure({ asked, sop_uid: pane.spec.sop_uid, long: long.flat(), short: short?.flat() ?? null })
  }

  // What has been kept is drawn as kept from now on.
  forget(kept) {
    if (!asking.has(kept)) return
    measures.delete(asking.get(kept))
    asking.delete(kept)
    this.status.textContent = "Kept."
  }

  say(sentence) {
    this.note.textContent = sentence
    this.status.textContent = sentence
    clearTimeout(this.saying)
    this.saying = setTimeout(() => { this.note.textContent = "" }, 4000)
  }

  divide(fraction) {
    shared.divider = Math.min(0.98, Math.max(0.02, fraction))
    this.redraw()
  }

  layOut(name) {
    layoutChosen = name
    this.hang(this.current, this.prior)
  }

  alone(pane) {
    const held = this.grid.contains(this.root.getRootNode().activeElement)
    this.showAlone(this.single ? null : pane)
    // What is hidden loses the focus, and the keys with it.
    if (held) this.activate(pane)
  }

  showAlone(pane) {
    this.single = pane
    this.grid.classList.toggle("single", Boolean(pane))
    for (const other of this.panes) other.root.classList.toggle("away", Boolean(pane) && other !== pane)
    this.redraw()
  }

  act(name) {
    if (name === "?") return toggleKeys(this.root)
    const actions = {
      I: () => { shared.invert = !shared.invert },
      L: () => {
        shared.linked = !shared.linked
        if (shared.linked) this.follow(this.active)
        else for (const pane of this.panes) Object.assign(pane, { wider: shared.wider, brighter: shared.brighter })
      },
      R: () => {
        Object.assign(shared, { preset: "1", wider: 0, brighter: 0, invert: false, mode: null, tool: null, divider: 0.3, heat: false, marks: true })
        this.panes.forEach((pane) => { pane.reset(); pane.relabel() })
        this.root.dataset.tool = ""
      },
      W: () => this.preset({ 1: "2", 2: "3", 3: "1" }[shared.preset]),
      Z: () => this.active?.picture && this.active.toEveryPixel(),
      G: () => this.tool("lens"),
      M: () => this.tool("calipers"),
      K: () => this.keep(),
      O: () => { shared.marks = !shared.marks },
      H: () => {
        shared.heat = !shared.heat
        this.panes.forEach((pane) => pane.relabel())
      },
      Space: () => this.mode("flicker"),
      S: () => this.mode("swipe"),
      D: () => this.mode("difference"),
      C: () => {
        if (this.data.whole) return
        this.root.classList.add("whole") // at once; the page follows
        this.root.style.height = ""
        this.redraw()
        drawCurtain()
        this.compare()
      },
      Esc: () => this.data.whole && this.leave(),
      F: () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen?.()),
    }
    const layout = this.data.layouts.find(({ key }) => key === name)
    if (layout) return this.layOut(layout.name)
    actions[name]()
    this.drawBar()
    this.redraw()
  }

  escape() {
    if (this.single) this.alone(this.single)
    else if (this.data.whole) this.leave()
    else if (shared.tool) this.tool(shared.tool)
    else if (shared.mode) this.mode(shared.mode)
    else return false
    return true
  }

  key(event) {
    if (event.metaKey || event.altKey || event.ctrlKey) return
    const name = event.key.length === 1 ? event.key.toUpperCase() : event.key
    const part = event.target.closest("[data-key]")
    if (part && (name === "ArrowLeft" || name === "ArrowRight")) {
      event.preventDefault()
      event.stopPropagation()
      this.stepBar(part, name === "ArrowLeft" ? -1 : 1)
      return
    }
    if (event.target.closest("select, input")) return
    if ((name === "Enter" || name === " ") && event.target.closest("button")) {
      event.stopPropagation() // the button that has the focus is pressed
      return
    }
    if (!this.answer(name, event)) return
    // Streamlit has keys of its own (R reruns the page): in the viewer they mean what the viewer says.
    event.preventDefault()
    event.stopPropagation()
  }

  answer(name, event) {
    const pane = this.active
    const zoom = (factor) => pane?.zoomAt(factor, pane.root.clientWidth / 2, pane.root.clientHeight / 2)
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    if (arrows[name] && event.target.closest(".strip")) this.stepVisit(arrows[name][0])
    else if (arrows[name] && this.line) this.moveEnd(pane, arrows[name].map((to) => (event.shiftKey ? 10 : 1) * to))
    else if (arrows[name] && event.shiftKey) this.windowBy(...arrows[name].map((to) => WINDOW_STEP * to))
    else if (arrows[name]) pane?.move(...arrows[name].map((to) => 24 * to))
    else if (name === "G") { if (!event.repeat) this.act("G") }
    else if (name === " ") this.act("Space")
    else if ("ILRWZMSDCFKOH?".includes(name) || this.data.layouts.some(({ key }) => key === name)) this.act(name)
    else if (name === "+" || name === "=") zoom(1.25)
    else if (name === "-") zoom(0.8)
    else if (name === "[" || name === "]") this.stepVisit(name === "[" ? -1 : 1)
    else if (name === "{" || name === "}") this.stepVisit(name === "{" ? -1 : 1, "prior")
    else if (name === "," || name === ".") this.divide(shared.divider + (name === "," ? -0.03 : 0.03))
    else if (name === "O") pane?.spec.sop_uid && this.read(pane.spec.sop_uid)
    else if ((name === "PageUp" || name === "PageDown") && pane?.frames) pane.frames.step(name === "PageUp" ? -1 : 1)
    else if (name === "N") this.step(1)
    else if (name === "P") this.step(-1)
    else if (name === "Enter" && shared.tool === "calipers") this.lineByKeys(pane)
    else if (name === "Enter") this.alone(pane)
    else if (name === "Backspace" || name === "Delete") this.takeBack(pane)
    else if (name === "Escape") return this.escape()
    else return false
    return true
  }
}

// Black over everything while one page goes and the other comes: nobody in a dark room is to see white in between.
function drawCurtain() {
  const curtain = element("div")
  curtain.dataset.curtain = "longview"
  curtain.style.cssText = "position: fixed; inset: 0; background: #0B0D10; z-index: 1000000"
  document.body.append(curtain)
  setTimeout(liftCurtain, 10_000) // should the page not come
}

function liftCurtain() {
  document.querySelectorAll("[data-curtain=longview]").forEach((curtain) => curtain.remove())
}

const viewers = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  if (!viewers.has(parentElement)) {
    viewers.set(parentElement, new Viewer(parentElement))
    liftCurtain()
  }
  const viewer = viewers.get(parentElement)
  viewer.read = (uid) => setTriggerValue("read", uid)
  viewer.tell = (asked) => setTriggerValue("choose", asked)
  viewer.measure = (lines) => setTriggerValue("measure", lines)
  viewer.compare = () => setTriggerValue("compare", true)
  viewer.leave = () => setTriggerValue("leave", true)
  viewer.show(data)
}
