// One image on black with boxes to draw; beside it what a model says of the image and of each box. pixels.js and
// keys.js stand before this file. Boxes are whole pixels of the image as it was stored; answers come from /reading, latest first.
const KEYS = [
  ["drag", "draw a box, also inside another; drag its number to move it, its edges to resize it"],
  ["click", "choose the box that is pointed at"],
  ["N", "new box in the middle"],
  ["arrow keys", "move the chosen box; with Shift: resize it"],
  ["Tab, Delete", "next box, remove it"],
  ["K", "keep the chosen box as a finding"],
  ["wheel, + −", "zoom at the pointer"],
  ["M, Space + drag", "move the image"],
  ["Shift + drag, right drag", "window: left–right contrast, up–down brightness"],
  ["Shift + arrow keys", "the same by keys, where no box is chosen"],
  ["H", "heat map on and off"],
  ["B", "before and after the preparation of the picture, side by side; , and . move the line"],
  ["1 2 3, I", "window as recorded, of the tissue, full range; invert"],
  ["0", "whole image"],
]
const STEPS = [
  ["normalise", "Normalise", "Spread the shades over the full range"],
  ["denoise", "Reduce noise", "Smooth grain, keep edges (bilateral filter)"],
  ["clahe", "Contrast", "Local contrast (CLAHE)"],
  ["sharpen", "Sharpen", "Stress fine detail (unsharp mask)"],
]
const WORDS = { normal: "nothing found", benign: "benign", malignant: "malignant" }
const MOST_BOXES = 6
const SMALLEST = 8
const FAILED = "The answer could not be fetched. Check the connection and try again."

const percent = (p) =>
  p > 0 && p < 0.001 ? "< 0.1 %" : `${100 * p < 9.95 ? (100 * p).toFixed(1) : (100 * p).toFixed(0)} %`

function bars(shares, cls, believed = true) {
  const list = element("div", `bars ${cls}${believed ? "" : " withheld"}`)
  // A class that its model was not measured to tell has no number; such classes may stand together, as benign+malignant.
  for (const [name, share] of Object.entries(shares).filter(([, share]) => share !== null)) {
    const row = element("div", `bar-row ${name.replaceAll("+", "-or-")}`)
    const track = element("span", "track")
    const fill = element("i")
    fill.style.width = `${Math.max(0.5, 100 * share)}%`
    track.append(fill)
    row.append(element("span", "what", name.split("+").map((one) => WORDS[one] ?? one).join(" or ")), track, element("b", "", percent(share)))
    list.append(row)
  }
  return list
}

async function askFor(address) {
  let answer
  try {
    answer = await fetch(address, { cache: "no-store" })
  } catch {
    throw new Error(FAILED)
  }
  if (answer.status === 401) throw new Error("Your sign-in has ended. Reload this page to sign in again.")
  const said = await answer.json().catch(() => ({ error: FAILED }))
  if (!answer.ok) throw new Error(said.error ?? FAILED)
  return said
}

class Reading {
  constructor(parent) {
    this.root = element("div", "reading")
    this.pane = element("div", "pane")
    this.pane.tabIndex = 0
    this.pane.setAttribute("role", "application")
    this.pane.setAttribute("aria-label", "Image; press N for a new box, ? for all keys")
    this.canvas = element("canvas")
    this.layer = element("div", "layer")
    this.line = element("div", "line")
    this.line.append(element("span", "", "before"), element("span", "", "after"))
    this.scale = element("div", "scale")
    this.message = element("div", "message")
    this.pane.append(this.canvas, this.layer, this.line, this.scale, this.message)
    this.top = element("div", "bar")
    this.bottom = element("div", "bar steps")
    const dark = element("div", "dark")
    dark.append(this.top, this.pane, this.bottom)
    this.dark = dark
    this.side = element("div", "side")
    this.whole = element("section")
    this.boxesHead = element("section", "boxes-head")
    this.cards = element("div", "cards")
    this.kept = element("section")
    this.said = element("div", "said-aloud")
    this.said.setAttribute("role", "status")
    this.side.append(this.whole, this.kept, this.boxesHead, this.cards, this.said)
    this.root.append(dark, this.side)
    parent.append(this.root)
    offerKeys(this.root, "Image, once the focus is on it", KEYS)
    this.buffer = element("canvas")
    this.afterBuffer = element("canvas")
    this.preset = "1"
    this.invert = false
    this.heatOn = false
    this.split = true
    this.steps = new Set()
    this.listen()
    new ResizeObserver(() => this.draw()).observe(this.pane)
  }

  show(data, trigger) {
    this.trigger = trigger
    const before = this.data
    this.data = data
    if (before?.token !== data.token) this.open()
    else if (before.model !== data.model) this.askAll()
    const kept = data.findings.map((one) => one.box.join())
    this.boxes = this.boxes.filter((box) => !kept.includes(box.at.join()))
    for (const box of this.boxes) box.keeping = false
    this.drawBoxes()
    this.drawKept()
  }

  // -- opening ---------------------------------------------------------------------------------------------------

  open() {
    Object.assign(this, { boxes: [], chosen: null, number: 0, zoom: 1, dx: 0, dy: 0, view: null, after: null, heat: null, anyway: false })
    this.steps.clear()
    this.message.textContent = "Loading …"
    delete this.root.dataset.ready
    this.drawBars()
    const { token } = this.data
    fetchRendition(`/reading/${token}/picture`).then((view) => {
      if (token !== this.data.token) return
      this.view = view
      this.message.textContent = ""
      this.setWindow(this.preset ?? "1")
      this.root.dataset.ready = "true"
    }).catch((error) => { this.message.textContent = error.message })
    this.askAll()
  }

  query(more) {
    const said = new URLSearchParams(more)
    if (this.data.model) said.set("model", this.data.model)
    if (this.anyway) said.set("anyway", "1")
    return said
  }

  async askAll() {
    const { token, model } = this.data
    const { anyway } = this
    const current = () => token === this.data.token && model === this.data.model && anyway === this.anyway
    this.answer = this.heat = null
    this.drawWhole()
    for (const box of this.boxes) this.ask(box)
    try {
      const answer = await askFor(`/reading/${token}/whole?${this.query()}`)
      if (!current()) return
      this.answer = answer
      this.heat = answer.heat ? heatCanvas(answer.heat) : null
      this.drawWhole()
      this.drawBars()
      this.draw()
    } catch (error) {
      if (current()) this.drawWhole(error.message)
    }
  }

  async ask(box) {
    if (box.busy) {
      box.again = true
      return
    }
    box.busy = true
    const { token, model } = this.data
    const { anyway } = this
    try {
      const answer = await askFor(`/reading/${token}/region?${this.query({ box: box.at.join() })}`)
      if (token !== this.data.token) return
      if (model === this.data.model && anyway === this.anyway) Object.assign(box, { answer, error: null })
    } catch (error) {
      Object.assign(box, { answer: null, error: error.message })
    }
    box.busy = false
    if (box.again || model !== this.data.model || anyway !== this.anyway) {
      box.again = false
      this.ask(box)
    }
    this.fillCard(box)
    this.drawBoxesHead()
  }

  // -- the picture -----------------------------------------------------------------------------------------------

  setWindow(name) {
    this.preset = name
    if (!this.view) return
    this.window = { ...presetsOf(this.view)[name] }
    this.shadeAll()
  }

  windowBy(mx, my) {
    const step = presetsOf(this.view)[1].width / 400
    this.preset = null
    this.window.width = Math.max(1, this.window.width + mx * step)
    this.window.center += my * step
    this.later(() => this.shadeAll())
  }

  divide(fraction) {
    this.splitAt = Math.min(0.98, Math.max(0.02, fraction))
    this.draw()
  }

  shadeAll() {
    const fill = (view, buffer, range) => {
      buffer.width = view.columns
      buffer.height = view.rows
      const image = new ImageData(view.columns, view.rows)
      shade(view, range, this.invert, new Uint32Array(image.data.buffer))
      buffer.getContext("2d").putImageData(image, 0, 0)
    }
    if (this.view) fill(this.view, this.buffer, this.window)
    if (this.after) fill(this.after, this.afterBuffer, presetsOf(this.after)[1])
    this.drawBars()
    this.draw()
  }

  async prepare() {
    const { token } = this.data
    const steps = STEPS.map(([name]) => name).filter((name) => this.steps.has(name))
    this.drawBars()
    if (!steps.length) {
      this.after = null
      this.draw()
      return
    }
    try {
      const after = await fetchRendition(`/reading/${token}/picture?steps=${steps.join()}`)
      const now = STEPS.map(([name]) => name).filter((name) => this.steps.has(name))
      if (token !== this.data.token || now.join() !== steps.join()) return
      this.after = after
      this.shadeAll()
    } catch (error) {
      this.message.textContent = error.message
    }
  }

  geometry() {
    const { clientWidth: width, clientHeight: height } = this.pane
    const { rows, columns } = this.data
    const scale = Math.min((width - 16) / columns, (height - 16) / rows) * this.zoom
    const left = (width - columns * scale) / 2 + this.dx
    const top = (height - rows * scale) / 2 + this.dy
    return { width, height, scale, left, top }
  }

  draw() {
    if (!this.view || !this.pane.clientWidth) return
    const ratio = window.devicePixelRatio || 1
    const { width, height, scale, left, top } = this.geometry()
    this.canvas.width = Math.round(width * ratio)
    this.canvas.height = Math.round(height * ratio)
    const context = this.canvas.getContext("2d")
    context.fillStyle = "#000"
    context.fillRect(0, 0, this.canvas.width, this.canvas.height)
    context.imageSmoothingQuality = "high"
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    const { rows, columns } = this.data
    const [wide, high] = [columns * scale, rows * scale]
    if (!this.after || this.split) context.drawImage(this.buffer, left, top, wide, high)
    this.line.style.display = this.after && this.split ? "" : "none"
    if (this.after) {
      const at = this.split ? (this.splitAt ?? 0.5) * width : 0
      this.line.style.left = `${at}px`
      context.save()
      context.beginPath()
      context.rect(at, 0, width - at, height)
      context.clip()
      context.drawImage(this.afterBuffer, left, top, wide, high)
      context.restore()
    }
    if (this.heat && this.heatOn) {
      const [x0, y0, x1, y1] = this.heat.corners
      context.save()
      context.beginPath()
      context.rect(left, top, wide, high)
      context.clip()
      context.translate(left + x0 * scale, top + y0 * scale)
      context.scale(((x1 - x0) * scale) / this.heat.picture.width, ((y1 - y0) * scale) / this.heat.picture.height)
      context.drawImage(this.heat.picture, 0, 0)
      context.restore()
      this.drawMarks(context, left, top, scale)
    }
    const { spacing_mm: spacing } = this.data
    scaleBar(this.scale, spacing ? scale / spacing : null)
    this.placeBoxes()
  }

  // Around what speaks for a lesion most: dashed, so that it is not taken for a box that a reader drew.
  drawMarks(context, left, top, scale) {
    context.save()
    context.setLineDash([6, 4])
    for (const [shade, width] of [["rgba(0, 0, 0, .7)", 3], ["#fff", 1.5]]) {
      context.strokeStyle = shade
      context.lineWidth = width
      for (const [x0, y0, x1, y1] of this.answer?.marks ?? []) context.strokeRect(left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale)
    }
    context.restore()
  }

  drawBars() {
    const button = (text, act, pressed, title) => {
      const made = element("button", "", text)
      if (title) made.title = title
      if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed))
      made.addEventListener("click", act)
      return made
    }
    const key = (name) => () => this.act(name)
    const held = this.root.getRootNode().activeElement?.closest?.(".bar button")?.textContent
    this.top.replaceChildren(
      element("span", "title", this.data.name),
      button("New box", key("N"), undefined, "Key N, or drag over the image"),
      button("Move", key("M"), this.moving, "Key M: drag moves the image"),
      button("Whole", key("0"), undefined, "Key 0: the whole image"),
      element("span", "gap"),
      button("As recorded", key("1"), this.preset === "1", "Key 1"),
      button("Tissue", key("2"), this.preset === "2", "Key 2"),
      button("Full", key("3"), this.preset === "3", "Key 3"),
      button("Invert", key("I"), this.invert, "Key I"),
      element("span", "gap"),
      button("Heat map", key("H"), this.heatOn, "Key H: where the model finds something. Off until asked for"),
      button("?", key("?"), undefined, "All keys"),
    )
    this.bottom.replaceChildren(
      element("span", "title", "Picture"),
      ...STEPS.map(([name, text, title]) => button(text, () => {
        if (!this.steps.delete(name)) this.steps.add(name)
        this.prepare()
      }, this.steps.has(name), title)),
      button("Before | after", key("B"), this.split && this.steps.size > 0, "Key B; drag the line"),
      element("span", "hint", this.steps.size ? "for your eyes: the model prepares the picture in its own way" : ""),
    )
    // The buttons are made anew: whoever pressed one by keys is still at it.
    if (held) [...this.dark.querySelectorAll(".bar button")].find((one) => one.textContent === held)?.focus({ preventScroll: true })
  }

  zoomAt(factor, x, y) {
    const { scale, left, top, width, height } = this.geometry()
    const zoom = Math.min(24, Math.max(1, this.zoom * factor))
    const grown = zoom / this.zoom
    this.zoom = zoom
    const next = scale * grown
    this.dx = x - (x - left) * grown - (width - this.data.columns * next) / 2
    this.dy = y - (y - top) * grown - (height - this.data.rows * next) / 2
    if (zoom === 1) this.dx = this.dy = 0
    this.draw()
  }

  // -- boxes -----------------------------------------------------------------------------------------------------

  clamp([x0, y0, x1, y1]) {
    const { rows, columns } = this.data
    const inside = (value, most) => Math.round(Math.min(most, Math.max(0, value)))
    return [
      inside(Math.min(x0, x1), columns - SMALLEST), inside(Math.min(y0, y1), rows - SMALLEST),
      inside(Math.max(x0, x1, Math.min(x0, x1) + SMALLEST), columns), inside(Math.max(y0, y1, Math.min(y0, y1) + SMALLEST), rows),
    ]
  }

  shift([x0, y0, x1, y1], dx, dy) {
    const { rows, columns } = this.data
    const [mx, my] = [Math.min(columns - x1, Math.max(-x0, dx)), Math.min(rows - y1, Math.max(-y0, dy))]
    return this.clamp([x0 + mx, y0 + my, x1 + mx, y1 + my])
  }

  add(at) {
    if (this.boxes.length >= MOST_BOXES) {
      this.note(`${MOST_BOXES} boxes are the most: remove one first.`)
      return null
    }
    const box = { n: ++this.number, at: this.clamp(at) }
    this.boxes.push(box)
    this.chosen = box
    this.drawBoxes()
    return box
  }

  change(box, at) {
    box.at = at
    this.placeBoxes()
    this.fillCard(box)
    this.ask(box)
  }

  remove(box) {
    this.boxes = this.boxes.filter((other) => other !== box)
    this.chosen = this.boxes.at(-1) ?? null
    this.drawBoxes()
    this.pane.focus({ preventScroll: true })
  }

  keep(box) {
    if (!this.data.can_keep || !box) return
    box.keeping = true
    this.fillCard(box)
    this.trigger("keep", { box: box.at, n: box.n })
  }

  sizeOf([x0, y0, x1, y1]) {
    const { spacing_mm: mm } = this.data
    const [wide, high] = [x1 - x0, y1 - y0]
    const text = (value) => (value * mm).toFixed(value * mm < 10 ? 1 : 0)
    return mm ? `${text(wide)} × ${text(high)} mm` : `${wide} × ${high} pixels`
  }

  drawBoxes() {
    this.layer.replaceChildren(...this.data.findings.map((finding) => this.frame(finding.box, finding.label, "finding")))
    for (const box of this.boxes) {
      box.frame = this.frame(box.at, String(box.n), "box")
      box.frame.tabIndex = 0
      box.frame.setAttribute("role", "group")
      for (const edge of ["n", "s", "w", "e", "nw", "ne", "sw", "se"]) {
        const handle = element("i", edge)
        handle.dataset.edge = edge
        box.frame.append(handle)
      }
      box.frame.addEventListener("focus", () => { this.chosen = box; this.placeBoxes() })
      this.layer.append(box.frame)
    }
    this.cards.replaceChildren(...this.boxes.map((box) => this.card(box)))
    this.drawBoxesHead()
    this.placeBoxes()
  }

  frame(at, tag, cls) {
    const made = element("div", cls)
    made.append(element("span", "tag", tag))
    made.at = at
    return made
  }

  placeBoxes() {
    if (!this.view) return
    const { scale, left, top } = this.geometry()
    const place = (frame, [x0, y0, x1, y1]) => Object.assign(frame.style, {
      left: `${left + x0 * scale}px`, top: `${top + y0 * scale}px`,
      width: `${(x1 - x0) * scale}px`, height: `${(y1 - y0) * scale}px`,
    })
    for (const frame of this.layer.querySelectorAll(".finding")) place(frame, frame.at)
    const area = ({ at: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0)
    const larger = this.boxes.toSorted((a, b) => area(b) - area(a)) // a box inside another lies above it
    for (const box of this.boxes) {
      if (!box.frame) continue
      place(box.frame, box.at)
      box.frame.style.zIndex = larger.indexOf(box) + 1
      box.frame.classList.toggle("chosen", box === this.chosen)
      box.frame.setAttribute("aria-label", `Box ${box.n}, ${this.sizeOf(box.at)}`)
      box.card?.classList.toggle("chosen", box === this.chosen)
    }
  }

  card(box) {
    box.card = element("div", "card")
    box.card.addEventListener("pointerdown", () => { this.chosen = box; this.placeBoxes() })
    this.fillCard(box)
    return box.card
  }

  fillCard(box) {
    if (!box.card) return
    const head = element("div", "card-head")
    const away = element("button", "away", "×")
    away.title = "Remove this box"
    away.setAttribute("aria-label", `Remove box ${box.n}`)
    away.addEventListener("click", () => this.remove(box))
    head.append(element("b", "tag", String(box.n)), element("span", "size", this.sizeOf(box.at)), away)
    const body = []
    if (box.error) body.push(element("p", "sentence", box.error))
    else if (!box.answer) body.push(element("p", "sentence", "Reading …"))
    else body.push(...this.shares(box.answer, "tumour", true))
    if (this.data.can_keep) {
      const keep = element("button", "keep", box.keeping ? "Keeping …" : "Keep as finding")
      keep.disabled = Boolean(box.keeping)
      keep.addEventListener("click", () => this.keep(box))
      body.push(keep)
    }
    const focused = box.card.getRootNode().activeElement
    const hadKeep = focused?.classList?.contains("keep") && box.card.contains(focused)
    box.card.replaceChildren(head, this.crop(box), ...body)
    box.card.classList.toggle("waiting", Boolean(box.busy))
    if (hadKeep) box.card.querySelector(".keep")?.focus()
  }

  crop({ at: [x0, y0, x1, y1] }) {
    const made = element("canvas", "crop")
    made.width = 160
    made.height = 96
    if (!this.view) return made
    const k = this.view.columns / this.data.columns
    const around = Math.max((x1 - x0) / made.width, (y1 - y0) / made.height) * 1.15
    const [wide, high] = [made.width * around, made.height * around]
    const context = made.getContext("2d")
    context.drawImage(this.buffer, ((x0 + x1 - wide) / 2) * k, ((y0 + y1 - high) / 2) * k, wide * k, high * k, 0, 0, made.width, made.height)
    return made
  }

  // -- words -----------------------------------------------------------------------------------------------------

  drawWhole(error) {
    const { answer } = this
    this.heldAnyway ||= Boolean(this.root.getRootNode().activeElement?.closest?.(".anyway"))
    this.root.dataset.answered = String(Boolean(answer))
    this.whole.replaceChildren(element("h2", "", "Whole image"))
    if (this.data.knows) this.whole.append(element("p", "sentence knows", this.data.knows))
    if (error) this.whole.append(element("p", "sentence alert", error))
    else if (!answer) this.whole.append(element("p", "sentence loading", "Reading the image … the first one takes longer, while the models load."))
    if (!answer) return
    const parts = element("div", "parts")
    const held = answer.spoke.filter((one) => one.trust.level !== "trusted")
    // Where nothing may be said, one sentence says so.
    const nothing = held.length > 0 && held.length === answer.spoke.length && !answer.untrusted
    for (const [title, kind] of [["What it shows", "tumour"], ["Breast density", "density"]]) {
      const shares = this.shares(answer, kind)
      if (!shares.length) continue
      const made = element("div")
      made.append(element("h3", "", title), ...shares)
      parts.append(made)
    }
    if (!nothing) this.whole.append(parts)
    if (held.length || answer.held) this.whole.append(this.withheld(held))
    if (answer.beside) this.whole.append(element("p", "sentence", `Read together with ${answer.beside} of the same study: what both breasts show is how she is built.`))
    const ofBoth = answer.spoke.some((one) => one.task === "density" && one.reads?.includes("other breast"))
    if (this.data.in_record && answer.density && !ofBoth) this.whole.append(element("p", "sentence", "Density here is of this view alone; on the patient's page another model says it of the whole study."))
    if (this.heatOn && this.heat && answer.marks?.length) this.whole.append(element("p", "sentence", `Dashed: where the model sees most${answer.marks.length > 1 ? ` (${answer.marks.length} places)` : ""}. Draw a box there to ask about the region.`))
    if (this.heatOn && this.heat && this.heat.top < 0.08) this.whole.append(element("p", "sentence", "The heat map is empty: the model finds no place that stands out."))
    this.whole.append(this.speakers(answer))
    if (this.heldAnyway) this.whole.querySelector(".anyway")?.focus({ preventScroll: true })
    this.heldAnyway = false
  }

  // What is said of one kind: bars; a sentence where nothing may be said; hatched bars for who asked for them anyway,
  // of single classes too that the model was not measured to tell.
  shares(answer, kind, short) {
    const trust = kind === "density" ? answer.density_trust : answer.trust
    const untrusted = answer.untrusted?.[kind]
    if (answer[kind]) {
      const told = [bars(answer[kind], kind)]
      return untrusted ? [...told, element("p", "disbelieve", "Each class by itself: not to be believed"), bars(untrusted, kind, false)] : told
    }
    if (!trust || trust.level === "trusted") return []
    if (!untrusted) return [element("p", "sentence", short ? `Withheld. ${trust.reason}` : "Withheld: see below.")]
    return [element("p", "disbelieve", "Not to be believed"), bars(untrusted, kind, false)]
  }

  withheld(held) {
    const made = element("div", "withheld-note")
    const same = held.length === this.answer.spoke.length && new Set(held.map((one) => one.trust.reason + one.needed)).size === 1
    if (!held.length) made.append(element("p", "sentence", "What was not measured to be told apart has no number by itself."))
    for (const one of same ? held.slice(0, 1) : held) {
      const whose = same ? "" : ` (${one.title})`
      made.append(element("p", "sentence alert", `${one.trust.reason}${whose} No number of it is shown. ${one.needed}`))
    }
    const button = element("button", "anyway", this.anyway ? "Hide again" : "Show anyway")
    button.title = "What the model would have said, for research; that it was shown is written to the audit trail"
    button.setAttribute("aria-pressed", String(Boolean(this.anyway)))
    button.addEventListener("click", () => {
      this.anyway = !this.anyway
      this.askAll()
    })
    made.append(button)
    return made
  }

  speakers(answer) {
    const speak = (said) => said.spoke.filter((one) => one.trust.level === "trusted" || this.anyway)
    const trusted = speak(answer)
    const doubts = [...new Set(trusted.map((one) => one.doubt).filter(Boolean))]
    const names = (said) => [...new Set(speak(said).map((one) => one.title))].join(" and ")
    const made = element("p", "sentence")
    if (!trusted.length) return made
    if (answer === this.answer || !this.answer || names(answer) !== names(this.answer)) made.append(`Said by: ${names(answer)}. `)
    for (const doubt of doubts) made.append(element("span", "doubt", doubt))
    return made
  }

  drawBoxesHead() {
    const answered = this.boxes.find((box) => box.answer)
    this.boxesHead.replaceChildren(element("h2", "", "Regions"))
    if (!this.boxes.length) this.boxesHead.append(element("p", "sentence", "Drag a box over the image, or press N. Several boxes stand side by side here."))
    if (answered) this.boxesHead.append(this.speakers(answered.answer))
    if (!this.data.can_keep && this.data.keep_hint) this.boxesHead.append(element("p", "sentence", this.data.keep_hint))
  }

  drawKept() {
    const { note } = this.data
    this.kept.replaceChildren()
    this.kept.hidden = !this.data.findings.length && !note.text
    if (this.kept.hidden) return
    this.kept.append(element("h2", "", "Findings on this image"))
    if (note.text) {
      const said = element("p", `sentence ${note.kind}`, note.text)
      said.setAttribute("role", "status")
      this.kept.append(said)
    }
    const table = element("table")
    for (const finding of this.data.findings) {
      const row = table.insertRow()
      row.insertCell().append(element("b", "", finding.label))
      row.insertCell().textContent = finding.size
      row.insertCell().textContent = finding.said
      const last = row.insertCell()
      if (this.data.can_take_back) {
        const away = element("button", "back", finding.id === note.finding ? "Undo" : "Take back")
        away.addEventListener("click", () => this.trigger("take_back", finding.id))
        last.append(away)
      }
    }
    this.kept.append(table)
  }

  note(text) {
    this.message.textContent = text
    clearTimeout(this.noteTimer)
    this.noteTimer = setTimeout(() => { this.message.textContent = "" }, 3000)
  }

  // -- hands -----------------------------------------------------------------------------------------------------

  listen() {
    const { pane } = this
    let drag = null
    const at = (event) => {
      const place = pane.getBoundingClientRect()
      const { scale, left, top } = this.geometry()
      return [(event.clientX - place.left - left) / scale, (event.clientY - place.top - top) / scale]
    }
    pane.addEventListener("contextmenu", (event) => event.preventDefault())
    pane.addEventListener("wheel", (event) => {
      event.preventDefault()
      const place = pane.getBoundingClientRect()
      if (this.view) this.zoomAt(Math.exp(-event.deltaY * 0.0015), event.clientX - place.left, event.clientY - place.top)
    }, { passive: false })
    pane.addEventListener("pointerdown", (event) => {
      if (!this.view) return
      const [x, y] = at(event)
      const frame = event.target.closest(".box")
      const over = this.boxes.find((one) => one.frame === frame)
      const grip = over && (event.target.dataset.edge ?? (event.target.closest(".tag") ? "move" : null))
      if (event.target.closest(".line")) drag = { kind: "split" }
      else if (event.button === 2 || event.shiftKey) drag = { kind: "window" }
      else if (event.button === 1 || this.moving || this.space) drag = { kind: "pan" }
      else if (grip) drag = { kind: grip, box: over, from: over.at }
      else drag = { kind: "new", over }
      Object.assign(drag, { x, y, lastX: event.clientX, lastY: event.clientY })
      ;(drag.from ? over.frame : pane).focus({ preventScroll: true })
      event.preventDefault()
      pane.setPointerCapture(event.pointerId)
    })
    pane.addEventListener("pointermove", (event) => {
      if (!drag) return
      const [x, y] = at(event)
      const [mx, my] = [event.clientX - drag.lastX, event.clientY - drag.lastY]
      Object.assign(drag, { lastX: event.clientX, lastY: event.clientY })
      if (drag.kind === "split") {
        const place = pane.getBoundingClientRect()
        this.divide((event.clientX - place.left) / place.width)
      } else if (drag.kind === "window") {
        this.windowBy(mx, my)
      } else if (drag.kind === "pan") {
        this.dx += mx
        this.dy += my
        this.draw()
      } else if (drag.kind === "new") {
        const { scale } = this.geometry()
        if (!drag.box && Math.max(Math.abs(x - drag.x), Math.abs(y - drag.y)) * scale < 6) return
        drag.box ??= this.add([drag.x, drag.y, x, y])
        if (drag.box) this.change(drag.box, this.clamp([drag.x, drag.y, x, y]))
        else drag = null
      } else if (drag.kind === "move") {
        this.change(drag.box, this.shift(drag.from, x - drag.x, y - drag.y))
      } else {
        const [x0, y0, x1, y1] = drag.from
        const { kind } = drag
        this.change(drag.box, this.clamp([
          kind.includes("w") ? x : x0, kind.includes("n") ? y : y0,
          kind.includes("e") ? x : x1, kind.includes("s") ? y : y1,
        ]))
      }
    })
    const end = () => {
      if (drag?.kind === "new") (drag.box ?? drag.over)?.frame.focus({ preventScroll: true })
      drag = null
    }
    pane.addEventListener("pointerup", end)
    pane.addEventListener("pointercancel", end)
    pane.addEventListener("keydown", (event) => this.key(event))
    pane.addEventListener("keyup", (event) => { if (event.key === " ") this.space = false })
  }

  later(work) {
    if (this.waiting) cancelAnimationFrame(this.waiting)
    this.waiting = requestAnimationFrame(work)
  }

  act(name) {
    if (name === "?") return toggleKeys(this.root)
    if (!this.view) return
    if (name === "N") {
      const { rows, columns } = this.data
      const { scale, left, top, width, height } = this.geometry()
      const [x, y] = [(width / 2 - left) / scale, (height / 2 - top) / scale]
      const side = Math.min(rows, columns) / 8 / Math.max(1, this.zoom / 2)
      const near = this.boxes.length * side * 0.3
      const box = this.add(this.shift([x - side / 2, y - side / 2, x + side / 2, y + side / 2], near, near))
      if (box) {
        this.ask(box)
        box.frame.focus({ preventScroll: true })
      }
    } else if (name === "M") this.moving = !this.moving
    else if (name === "0") Object.assign(this, { zoom: 1, dx: 0, dy: 0 })
    else if ("123".includes(name)) this.setWindow(name)
    else if (name === "I") {
      this.invert = !this.invert
      this.shadeAll()
    } else if (name === "H") {
      this.heatOn = !this.heatOn
      if (this.answer) this.drawWhole()
    }
    else if (name === "B") this.split = !this.split
    this.pane.classList.toggle("moving", Boolean(this.moving))
    this.drawBars()
    this.draw()
  }

  key(event) {
    if (event.metaKey || event.altKey || event.ctrlKey) return
    const name = event.key.length === 1 ? event.key.toUpperCase() : event.key
    const box = this.boxes.find((one) => one.frame === event.target)
    const { scale, width, height } = this.view ? this.geometry() : {}
    const step = Math.max(1, Math.round(4 / (scale || 1)))
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }
    if (box && arrows[name]) {
      const [dx, dy] = arrows[name]
      const [x0, y0, x1, y1] = box.at
      this.change(box, event.shiftKey ? this.clamp([x0, y0, Math.max(x0 + SMALLEST, x1 + dx), Math.max(y0 + SMALLEST, y1 + dy)]) : this.shift(box.at, dx, dy))
      this.later(() => { this.said.textContent = `Box ${box.n}: ${this.sizeOf(box.at)}, left ${box.at[0]}, top ${box.at[1]}` })
    } else if (box && (name === "Delete" || name === "Backspace")) this.remove(box)
    else if (name === "K") this.keep(box ?? this.chosen)
    else if (arrows[name] && event.shiftKey && this.view) this.windowBy(...arrows[name].map((to) => 10 * Math.sign(to)))
    else if (name === "," || name === ".") this.divide((this.splitAt ?? 0.5) + (name === "," ? -0.03 : 0.03))
    else if (arrows[name]) {
      this.dx -= arrows[name][0] * 4 * (scale || 1)
      this.dy -= arrows[name][1] * 4 * (scale || 1)
      this.draw()
    } else if (name === " ") this.space = true
    else if (name === "+" || name === "=") this.zoomAt(1.25, width / 2, height / 2)
    else if (name === "-") this.zoomAt(0.8, width / 2, height / 2)
    else if ("NM0123IHB?".includes(name)) this.act(name)
    else return
    // Streamlit has keys of its own: over the image they mean what the image says.
    event.preventDefault()
    event.stopPropagation()
  }
}

const readings = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  if (!readings.has(parentElement)) readings.set(parentElement, new Reading(parentElement))
  readings.get(parentElement).show(data, setTriggerValue)
}
