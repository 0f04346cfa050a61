// One place of the hanging: a view with what is drawn over it. Zoom and movement are kept relative to the chest wall, so
// that linked panes move as mirror images of each other, as the breasts are. Coordinates of a view ("stored") are in
// pixels of the stored image, its left upper corner at 0, 0; those of a pane in CSS pixels.
const LENS_RADIUS = 88
const LENS_TIMES = 3
const OVERVIEW_PX = 64
const GRIP_PX = 10
const FINEST_ZOOM = 8 // screen pixels an image pixel
const YELLOW = "#F0E442"
const CALIPER = "#56E0F4"
const measures = new Map() // SOP UID -> lines, each two stored points; kept while the browser's page is open

// What all views share: it survives a change of visit, so that the same window and tool stay throughout.
const shared = { preset: "1", wider: 0, brighter: 0, invert: false, linked: true, mode: null, tool: null, divider: 0.3, heat: false, marks: true }

class Pane {
  // `place`: spec of the view, which study it is of ("now" or "prior"), its date, and the same view of the prior.
  constructor(place, viewer) {
    Object.assign(this, place, { viewer, zoom: 1, along: 0, down: 0, wider: 0, brighter: 0, point: null })
    const { spec } = this
    this.root = element("div", `pane ${spec.side} ${this.study}${place.edge ? " edge" : ""}`)
    this.root.setAttribute("role", "group")
    this.root.setAttribute("aria-label", `${spec.label} of ${this.on}`)
    if (spec.sop_uid) this.root.tabIndex = -1
    this.canvas = element("canvas")
    this.canvas.setAttribute("role", "img")
    this.canvas.setAttribute("aria-label", spec.label)
    this.label = element("div", "label")
    this.name = element("span", "", spec.label)
    this.small = element("small")
    this.label.append(this.name, this.small)
    if (spec.sop_uid) {
      const read = element("button", "read", "Read this image")
      read.title = "Tumour and density of this image alone, and of boxes you draw"
      read.tabIndex = -1
      read.addEventListener("pointerdown", (event) => event.stopPropagation())
      read.addEventListener("dblclick", (event) => event.stopPropagation())
      read.addEventListener("click", () => viewer.read(spec.sop_uid))
      this.label.append(read)
    }
    this.scale = element("div", "scale")
    this.message = element("div", "message", spec.sop_uid ? "Loading …" : spec.missing)
    this.root.append(this.canvas, this.label, this.scale, this.message)
    this.picture = null
    listenTo(this)
    if (spec.sop_uid) this.take(load(spec.sop_uid))
    this.relabel()
    this.say()
  }

  take(entry) {
    const ready = (picture) => {
      this.picture = picture
      if (picture.frames > 1) this.root.append((this.frames = new Frames(this, picture)).root)
      this.message.textContent = ""
      this.root.dataset.ready = "true"
    }
    // What is there already is shown at once, without a moment of black.
    if (entry.picture) ready(entry.picture)
    else {
      entry.promise.then((picture) => { ready(picture); this.viewer.redraw() })
        .catch((error) => { this.message.textContent = error.message })
    }
  }

  // Only the views of the study that is read are laid over by the prior's.
  get mode() {
    return this.study === "now" && this.spec.sop_uid && this.other ? shared.mode : null
  }

  // Where the line of a swipe stands: told from the chest wall, so that it runs through both breasts alike.
  get divider() {
    const { clientWidth } = this.root
    return this.spec.side === "right" ? (1 - shared.divider) * clientWidth : shared.divider * clientWidth
  }

  get known() {
    return registration(this.other, this.spec, () => { this.relabel(); this.viewer.redraw() })
  }

  relabel() {
    const { mode, spec } = this
    const when = this.study === "prior" ? `prior ${this.on}` : this.on
    const said = { flicker: `prior ${this.otherOn}`, swipe: `prior ${this.otherOn} | ${this.on}`, difference: `less ${this.otherOn}` }
    this.root.classList.toggle("over", mode === "flicker" || mode === "difference")
    const heat = shared.heat && !mode && spec.sop_uid ? spec.no_heat || this.heat.said : ""
    this.small.textContent = (mode ? [said[mode], this.known.said] : [when, spec.note, heat]).filter(Boolean).join(" · ")
    this.small.title = spec.remarks || ""
  }

  get heat() {
    return heatOf(this.spec.sop_uid, () => { this.relabel(); this.viewer.redraw() })
  }

  windowOf(picture) {
    const { wider, brighter } = shared.linked ? shared : this
    const step = picture.presets[1].width / 400
    const { center, width } = picture.presets[shared.preset]
    return { center: center + brighter * step, width: Math.max(1, width + wider * step) }
  }

  geometry() {
    const { clientWidth: width, clientHeight: height } = this.root
    const scale = this.viewer.fit(this) * this.zoom
    const { rows, columns } = this.spec
    const outward = this.spec.side === "right" ? -1 : 1
    // The chest wall lies at the inner edge of the pane: right edge for the right breast. What has none stands in the middle.
    const wall = this.hold * width + outward * this.along * height
    const left = wall - this.hold * columns * scale
    const top = (height - rows * scale) / 2 + this.down * height
    return { width, height, scale, left, top, outward }
  }

  // By which share of its width, from the left, a picture is held at the same share of the pane's.
  get hold() {
    return this.spec.centred ? 0.5 : this.spec.side === "right" ? 1 : 0
  }

  // Whether the frame that stands for all is shown: findings, heat map and full resolution are of that one.
  get isWhole() {
    return this.frames?.isWhole ?? true
  }

  toStored(x, y, { scale, left, top } = this.geometry()) {
    const across = (x - left) / scale
    return [this.spec.flipped ? this.spec.columns - across : across, (y - top) / scale]
  }

  toPane(x, y, { scale, left, top } = this.geometry()) {
    return [left + (this.spec.flipped ? this.spec.columns - x : x) * scale, top + y * scale]
  }

  draw() {
    const { clientWidth, clientHeight } = this.root
    if (!this.picture || !clientWidth) return
    const ratio = window.devicePixelRatio || 1
    const [wide, high] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)]
    if (this.canvas.width !== wide) this.canvas.width = wide
    if (this.canvas.height !== high) this.canvas.height = high
    const context = this.canvas.getContext("2d")
    const geometry = this.geometry()
    this.finest = ""
    this.paint(context, ratio, geometry)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    this.drawOverview(context, geometry)
    this.drawPointer(context, ratio, geometry)
    this.drawScale(geometry.scale, ratio)
  }

  // The view and what lies over it, within a pane or a lens of the geometry's size.
  paint(context, ratio, geometry) {
    const { width, height } = geometry
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.fillStyle = shared.invert ? "#fff" : "#000"
    context.fillRect(0, 0, width, height)
    const { mode } = this
    if (mode) {
      const over = broughtOver(mode === "difference" ? "difference" : "prior", this.other, this.spec, this.known)
      if (!over) load(this.other.sop_uid).promise.then(() => this.viewer.redraw(), () => {})
      if (mode === "swipe") {
        this.paintPicture(context, ratio, geometry, this.picture, true)
        const middle = this.divider
        if (over) {
          context.save()
          context.setTransform(ratio, 0, 0, ratio, 0, 0)
          context.beginPath()
          context.rect(0, 0, geometry.lens ? geometry.lens.divider : middle, height)
          context.clip()
          context.fillRect(0, 0, width, height)
          this.paintPicture(context, ratio, geometry, over, false)
          context.restore()
        }
        if (!geometry.lens) this.drawDivider(context, ratio, middle, height)
        return
      }
      if (over) this.paintPicture(context, ratio, geometry, over, false)
      return
    }
    this.paintPicture(context, ratio, geometry, this.picture, this.isWhole)
    this.toStoredFrame(context, ratio, geometry)
    if (shared.heat && this.isWhole && !this.spec.no_heat && this.heat.heat) drawHeat(context, this.heat.heat)
    if (shared.marks && this.isWhole) this.drawFindings(context, geometry.scale)
    this.drawMeasures(context, geometry.scale)
  }

  toStoredFrame(context, ratio, { scale, left, top }) {
    const snap = (at) => Math.round(at * ratio) // a pixel of the image on whole pixels of the screen
    context.setTransform(ratio * scale, 0, 0, ratio * scale, snap(left), snap(top))
    if (this.spec.flipped) {
      context.translate(this.spec.columns, 0)
      context.scale(-1, 1)
    }
  }

  paintPicture(context, ratio, geometry, picture, own) {
    context.save()
    this.toStoredFrame(context, ratio, geometry)
    const k = geometry.scale * ratio
    context.imageSmoothingEnabled = k < 2 // from there on pixels are to be seen as what they are
    context.imageSmoothingQuality = "low"
    const view = this.windowOf(picture)
    const difference = picture.presets[1].center === MIDDLE
    picture.draw(context, k, difference ? picture.presets[1] : view, shared.invert && !difference)
    if (own && k > picture.finest * 1.05 && picture.finest < 0.999) {
      const [[x0, y0], [x1, y1]] = [this.toStored(0, 0, geometry), this.toStored(geometry.width, geometry.height, geometry)]
      const seen = { left: Math.min(x0, x1), right: Math.max(x0, x1), top: y0, bottom: y1 }
      const whole = drawTiles(context, this.spec.sop_uid, this.spec, k, seen, view, shared.invert, () => this.viewer.redraw())
      const why = told.get(this.spec.sop_uid)
      if (!geometry.lens) this.finest = why ? `reduced: ${why}` : whole ? "" : "loading full resolution"
    } else if (!own && k > picture.finest * 1.05 && picture.finest < 0.999 && !geometry.lens) this.finest = "reduced"
    context.restore()
  }

  drawFindings(context, scale) {
    for (const { box: [x0, y0, x1, y1], label, axes = [] } of this.spec.findings ?? []) {
      if (axes.length) {
        this.drawKept(context, scale, axes, label)
        continue
      }
      context.lineWidth = 1.5 / scale
      context.strokeStyle = YELLOW
      context.setLineDash([4 / scale, 3 / scale])
      context.strokeRect(x0, y0, x1 - x0, y1 - y0)
      context.setLineDash([])
      this.write(context, scale, label, this.spec.flipped === (this.spec.side === "right") ? x0 : x1, y0, YELLOW)
    }
  }

  // The calipers of a lesion that is followed, as they were kept: thin, and named once.
  drawKept(context, scale, axes, label) {
    context.strokeStyle = YELLOW
    context.lineWidth = 1 / scale
    axes.forEach(([x0, y0, x1, y1]) => strokeCaliper(context, [[x0, y0], [x1, y1]], 4 / scale))
    const [x0, y0, x1, y1] = axes[0]
    // The end that is farther from the chest wall, on the screen.
    const first = (x0 < x1) !== this.spec.flipped
    const [x, y] = first === (this.spec.side === "right") ? [x0, y0] : [x1, y1]
    this.write(context, scale, label, x, y, YELLOW)
  }

  // The picture may be mirrored to hang; its words may not. They run away from the chest wall, where the next view begins.
  write(context, scale, text, x, y, colour) {
    const right = this.spec.side === "right"
    context.save()
    context.translate(x, y)
    context.scale((this.spec.flipped ? -1 : 1) / scale, 1 / scale)
    context.font = "12px sans-serif"
    context.lineWidth = 3
    context.strokeStyle = "#000"
    context.fillStyle = colour
    context.textAlign = right ? "right" : "left"
    context.strokeText(text, right ? -4 : 4, -5)
    context.fillText(text, right ? -4 : 4, -5)
    context.restore()
  }

  drawMeasures(context, scale) {
    this.lines.forEach((line, number) => {
      context.strokeStyle = CALIPER
      context.lineWidth = 1.5 / scale
      strokeCaliper(context, line, 5 / scale)
      // Of two that cross, each has its length at another end.
      this.write(context, scale, this.lengthOf(line), ...line[(number + 1) % 2], CALIPER)
    })
  }

  // What is drawn on the canvas is said beside it.
  say() {
    const lengths = this.lines.map((line) => this.lengthOf(line))
    const kept = (this.spec.findings ?? []).map(({ label }) => label)
    this.canvas.setAttribute("aria-label", [this.spec.label, ...kept, ...lengths].join(", "))
    this.viewer.linesChanged()
  }

  get lines() {
    return measures.get(this.spec.sop_uid) ?? []
  }

  lengthOf([[x0, y0], [x1, y1]]) {
    const far = Math.hypot(x1 - x0, y1 - y0)
    const { spacing_mm: spacing, measured } = this.spec
    if (spacing && measured) return `${(far * spacing).toFixed(1)} mm`
    return `${Math.round(far)} px, ${spacing ? "magnified or unsure" : "pixel size not known"}: no mm`
  }

  drawDivider(context, ratio, middle, height) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.strokeStyle = "#E8ECF0"
    context.lineWidth = 1
    context.beginPath()
    context.moveTo(middle, 0)
    context.lineTo(middle, height)
    context.stroke()
    context.fillStyle = "#E8ECF0"
    context.beginPath()
    context.arc(middle, height / 2, 5, 0, 7)
    context.fill()
  }

  drawOverview(context, geometry) {
    const { width, height, scale, left, top } = geometry
    const { rows, columns, side } = this.spec
    this.overview = null
    if (rows * scale <= height + 1 && columns * scale <= width + 1) return
    const small = OVERVIEW_PX / rows
    const at = { x: side === "right" ? 8 : width - 8 - columns * small, y: 8, width: columns * small, height: OVERVIEW_PX }
    this.overview = { ...at, small }
    context.fillStyle = "#000"
    context.fillRect(at.x - 1, at.y - 1, at.width + 2, at.height + 2)
    const ratio = window.devicePixelRatio || 1
    this.paintPicture(context, ratio, { width: at.width, height: at.height, scale: small, left: at.x, top: at.y, lens: {} }, this.picture, false)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.lineWidth = 1
    context.strokeStyle = "#5B6675"
    context.strokeRect(at.x - 0.5, at.y - 0.5, at.width + 1, at.height + 1)
    const [x0, y0] = [Math.max(0, -left / scale), Math.max(0, -top / scale)]
    const [x1, y1] = [Math.min(columns, (width - left) / scale), Math.min(rows, (height - top) / scale)]
    if (x1 <= x0 || y1 <= y0) return
    context.strokeStyle = "#56B4E9"
    context.strokeRect(at.x + x0 * small, at.y + y0 * small, (x1 - x0) * small, (y1 - y0) * small)
  }

  // Where the pointer over another view stands in this one: by registration in the same view of the other study.
  pointed() {
    const { from, x, y } = this.viewer.pointer ?? {}
    if (!from || !from.picture) return null
    if (from === this) return { x, y, same: true }
    if (from.spec.view === this.spec.view && from.study !== this.study) {
      const [now, prior] = this.study === "now" ? [this, from] : [from, this]
      if (now.other?.sop_uid === prior.spec.sop_uid) {
        const stored = from.toStored(x, y)
        const { grid } = now.known
        const [px, py] = this.toPane(...(this.study === "now" ? toCurrent : toPrior)(grid, now.spec, ...stored))
        return { x: px, y: py, same: false }
      }
    }
    const mirrored = from.spec.side !== this.spec.side
    return { x: mirrored ? this.root.clientWidth - x : x, y, unlike: true }
  }

  drawPointer(context, ratio, geometry) {
    const at = this.pointed()
    if (!at) return
    if (shared.tool === "lens") this.drawLens(context, ratio, geometry, at)
    else if (at.same === false) {
      context.strokeStyle = CALIPER
      context.lineWidth = 1
      context.beginPath()
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(at.x + 4 * dx, at.y + 4 * dy)
        context.lineTo(at.x + 12 * dx, at.y + 12 * dy)
      }
      context.stroke()
    }
  }

  drawLens(context, ratio, geometry, { x, y }) {
    const radius = Math.min(LENS_RADIUS, geometry.width / 2.2, geometry.height / 2.2)
    const size = Math.round(2 * radius * ratio)
    const glass = (this.glass ??= element("canvas"))
    glass.width = glass.height = size
    const scale = geometry.scale * LENS_TIMES
    const left = radius - (x - geometry.left) * LENS_TIMES
    const top = radius - (y - geometry.top) * LENS_TIMES
    const divider = radius + (this.divider - x) * LENS_TIMES
    this.paint(glass.getContext("2d"), ratio, { width: 2 * radius, height: 2 * radius, scale, left, top, lens: { divider } })
    context.save()
    context.beginPath()
    context.arc(x, y, radius, 0, 7)
    context.clip()
    context.drawImage(glass, x - radius, y - radius, 2 * radius, 2 * radius)
    context.restore()
    context.strokeStyle = "#AEB8C4"
    context.beginPath()
    context.arc(x, y, radius, 0, 7)
    context.stroke()
  }

  drawScale(scale, ratio) {
    const { spacing_mm: spacing, measured } = this.spec
    scaleBar(this.scale, spacing && measured ? scale / spacing : null)
    this.percent = Math.round(scale * ratio * 100)
    this.scale.append(` · ${this.percent} %${this.finest ? ` · ${this.finest}` : ""}`)
  }

  zoomAt(factor, x, y) {
    if (!this.picture) return
    const before = this.geometry()
    const everyPixel = 1 / (window.devicePixelRatio || 1) / (before.scale / this.zoom) // the zoom of 100 %
    const zoom = Math.min(Math.max(FINEST_ZOOM * everyPixel, 1), Math.max(Math.min(0.5, everyPixel), this.zoom * factor))
    const grown = zoom / this.zoom
    const wall = before.left + this.hold * this.spec.columns * before.scale
    const middle = before.top + (this.spec.rows * before.scale) / 2
    this.zoom = zoom
    this.along += ((x - wall) * (1 - grown) * before.outward) / before.height
    this.down += ((y - middle) * (1 - grown)) / before.height
    this.viewer.follow(this)
  }

  move(dx, dy) {
    if (!this.picture) return
    const { height, outward } = this.geometry()
    this.along += (dx * outward) / height
    this.down += dy / height
    this.viewer.follow(this)
  }

  // One pixel of the image on one of the screen, about the place that is pointed at, else about the middle.
  toEveryPixel() {
    const { width, height, scale } = this.geometry()
    const { from, x, y } = this.viewer.pointer ?? {}
    const ratio = window.devicePixelRatio || 1
    this.zoomAt(1 / ratio / scale, from === this ? x : width / 2, from === this ? y : height / 2)
  }

  reset() {
    Object.assign(this, { zoom: 1, along: 0, down: 0, wider: 0, brighter: 0 })
  }
}

// A line with a bar across each of its ends; `half` is how far the bars reach to each side.
function strokeCaliper(context, [[x0, y0], [x1, y1]], half) {
  const far = lengthOf([[x0, y0], [x1, y1]]) || 1
  const [ax, ay] = [((y1 - y0) / far) * half, ((x0 - x1) / far) * half]
  context.beginPath()
  context.moveTo(x0, y0)
  context.lineTo(x1, y1)
  for (const [x, y] of [[x0, y0], [x1, y1]]) {
    context.moveTo(x - ax, y - ay)
    context.lineTo(x + ax, y + ay)
  }
  context.stroke()
}

function lengthOf([[x0, y0], [x1, y1]]) {
  return Math.hypot(x1 - x0, y1 - y0)
}

// Whether two lines, the longer first, can be the long and the short axis of one lesion: their middles lie together.
function ofOneLesion(long, short) {
  const middle = ([[x0, y0], [x1, y1]]) => [(x0 + x1) / 2, (y0 + y1) / 2]
  return lengthOf([middle(long), middle(short)]) <= lengthOf(long) / 2
}

// What pointers, wheels and fingers do in a pane.
function listenTo(pane) {
  const { root, viewer } = pane
  const fingers = new Map()
  let drag = null
  let rolls = { at: 0, pans: false }
  const place = (event) => {
    const box = root.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const span = () => {
    const [a, b] = [...fingers.values()]
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, far: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1 }
  }

  root.addEventListener("contextmenu", (event) => event.preventDefault())
  root.addEventListener("wheel", (event) => {
    // The wheel is the page's until the viewer has been taken hold of; a pinch on a trackpad (Ctrl) is meant for it.
    if (!viewer.holdsWheel() && !event.ctrlKey) return viewer.hint()
    event.preventDefault()
    const now = performance.now()
    // Two fingers on a trackpad come as many small steps, a wheel as large ones: the first of a gesture tells.
    if (now - rolls.at > 250) rolls.pans = !event.ctrlKey && event.deltaMode === 0 && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40)
    rolls.at = now
    if (rolls.pans) pane.move(-event.deltaX, -event.deltaY)
    else pane.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...place(event))
  }, { passive: false })

  root.addEventListener("pointerdown", (event) => {
    viewer.activate(pane)
    fingers.set(event.pointerId, place(event))
    root.setPointerCapture(event.pointerId)
    if (fingers.size === 2) {
      drag = { kind: "pinch", ...span() }
      return
    }
    drag = begin(event, ...place(event))
    root.classList.add(drag.kind)
  })

  function begin(event, x, y) {
    if (event.button === 2 || event.shiftKey || event.ctrlKey) return { kind: "windowing", x, y }
    if (pane.mode === "swipe" && Math.abs(x - pane.divider) < GRIP_PX) return { kind: "dividing", x, y }
    if (shared.tool === "calipers" && pane.picture && !pane.mode) return { kind: "measuring", ...grip(x, y) }
    return { kind: "dragging", x, y }
  }

  // An end of a line that stands there already, or a new line.
  function grip(x, y) {
    const lines = measures.get(pane.spec.sop_uid) ?? []
    measures.set(pane.spec.sop_uid, lines)
    for (const line of lines) {
      for (const end of [0, 1]) {
        const [px, py] = pane.toPane(...line[end])
        if (Math.hypot(px - x, py - y) < GRIP_PX) return { line, end }
      }
    }
    const at = pane.toStored(x, y)
    const line = [at, at]
    lines.push(line)
    return { line, end: 1 }
  }

  root.addEventListener("pointermove", (event) => {
    const [x, y] = place(event)
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [x, y])
    viewer.pointAt(pane, x, y)
    if (!drag || !pane.picture) return
    if (drag.kind === "pinch") {
      if (fingers.size < 2) return
      const now = span()
      pane.move(now.x - drag.x, now.y - drag.y)
      pane.zoomAt(now.far / drag.far, now.x, now.y)
      Object.assign(drag, now)
      return
    }
    if (drag.kind === "measuring") drag.line[drag.end] = pane.toStored(x, y)
    else if (drag.kind === "dividing") viewer.divide((pane.spec.side === "right" ? root.clientWidth - x : x) / root.clientWidth)
    else if (drag.kind === "windowing") viewer.windowBy(x - drag.x, y - drag.y)
    else pane.move(x - drag.x, y - drag.y)
    Object.assign(drag, { x, y })
    viewer.redraw()
  })

  const end = (event) => {
    fingers.delete(event.pointerId)
    if (drag?.kind === "measuring") {
      dropPoint(drag.line)
      pane.say()
    }
    root.classList.remove("windowing", "dragging", "measuring", "dividing")
    const [rest] = fingers.values()
    drag = rest ? { kind: "dragging", x: rest[0], y: rest[1] } : null
  }

  // A click that drew no line leaves none.
  function dropPoint(line) {
    const [[x0, y0], [x1, y1]] = line
    if (Math.hypot(x1 - x0, y1 - y0) * pane.geometry().scale >= 3) return
    const lines = measures.get(pane.spec.sop_uid)
    lines.splice(lines.indexOf(line), 1)
    viewer.redraw()
  }

  root.addEventListener("pointerup", end)
  root.addEventListener("pointercancel", end)
  root.addEventListener("pointerleave", () => viewer.pointAt(null))
  root.addEventListener("dblclick", () => shared.tool !== "calipers" && viewer.alone(pane))
  root.addEventListener("focusin", () => { viewer.active = pane })
  root.addEventListener("pointerenter", () => {
    viewer.active = pane
    // Two views cannot both be meant: where one is framed, the frame goes along.
    if (viewer.grid.querySelector(".pane:focus")) viewer.activate(pane)
  })
}

