// Views hung in two columns on black. pixels.js and keys.js stand before this file. Zoom and pan are kept relative to
// the chest wall, so that linked panes move as mirror images of each other, as the breasts are.
const KEYS = [
  ["wheel, + −", "zoom at the pointer"],
  ["drag, arrow keys", "move"],
  ["right drag, Shift + drag", "window: left–right contrast, up–down brightness"],
  ["N, P, Tab", "next, previous view: keys act on the framed one"],
  ["double click, Enter", "one view alone, and back"],
  ["1", "window as recorded"],
  ["2", "window of the breast tissue"],
  ["3", "full range"],
  ["I", "invert"],
  ["L", "link zoom and movement of all views"],
  ["R", "reset zoom, movement and window"],
  ["F", "full screen"],
  ["?", "these keys"],
]
const KEPT = 16
const pixels = new Map() // SOP UID -> Promise of a decoded view; the last few are kept when the visit changes
const shared = { preset: "1", invert: false, linked: true } // survives a change of visit: the same window throughout

const decode = (uid) => fetchRendition(`/img/${encodeURIComponent(uid)}`, {
  404: "This view is not in the image store. Tell your admin.",
})

function load(uid) {
  if (!pixels.has(uid)) {
    const view = decode(uid)
    view.catch(() => pixels.delete(uid))
    pixels.set(uid, view)
    while (pixels.size > KEPT) pixels.delete(pixels.keys().next().value)
  }
  return pixels.get(uid)
}

class Pane {
  constructor(spec, viewer) {
    Object.assign(this, { spec, viewer, zoom: 1, along: 0, down: 0, window: null, view: null })
    // `along` and `down`: movement in pane heights, away from the chest wall and downwards.
    this.root = element("div", `pane ${spec.side}`)
    this.root.setAttribute("role", "group")
    this.root.setAttribute("aria-label", spec.label)
    if (spec.sop_uid) this.root.tabIndex = 0
    this.canvas = element("canvas")
    this.canvas.setAttribute("role", "img")
    this.canvas.setAttribute("aria-label", spec.label)
    this.label = element("div", "label", spec.label)
    this.label.append(element("small", "", spec.note))
    if (spec.sop_uid) {
      const read = element("button", "read", "Read this image")
      read.title = "Tumour and density of this image alone, and of boxes you draw"
      read.addEventListener("pointerdown", (event) => event.stopPropagation())
      read.addEventListener("dblclick", (event) => event.stopPropagation())
      read.addEventListener("click", () => viewer.read(spec.sop_uid))
      this.label.append(read)
    }
    this.scale = element("div", "scale")
    this.message = element("div", "message", spec.sop_uid ? "Loading …" : spec.missing)
    this.root.append(this.canvas, this.label, this.scale, this.message)
    this.buffer = element("canvas")
    this.listen()
    if (spec.sop_uid) {
      load(spec.sop_uid).then((view) => {
        this.view = view
        this.message.textContent = ""
        this.buffer.width = view.columns
        this.buffer.height = view.rows
        this.image = new ImageData(view.columns, view.rows)
        this.words = new Uint32Array(this.image.data.buffer)
        this.applyPreset(shared.preset)
        this.root.dataset.ready = "true"
      }).catch((error) => { this.message.textContent = error.message })
    }
  }

  applyPreset(name) {
    if (!this.view) return
    // A window set by hand is no preset: a view that comes later opens as recorded.
    this.window = { ...presetsOf(this.view)[name ?? "1"] }
    this.shade()
  }

  shade() {
    if (!this.view) return
    shade(this.view, this.window, shared.invert, this.words)
    this.buffer.getContext("2d").putImageData(this.image, 0, 0)
    this.draw()
  }

  geometry() {
    const { clientWidth: width, clientHeight: height } = this.root
    const { rows, columns } = this.view
    const scale = Math.min(width / columns, height / rows) * this.zoom
    const outward = this.spec.side === "right" ? -1 : 1
    // The chest wall lies at the inner edge of the pane: right edge for the right breast.
    const wall = (this.spec.side === "right" ? width : 0) + outward * this.along * height
    const left = this.spec.side === "right" ? wall - columns * scale : wall
    const top = (height - rows * scale) / 2 + this.down * height
    return { width, height, scale, left, top, outward }
  }

  draw() {
    if (!this.view || !this.root.clientWidth) return
    const ratio = window.devicePixelRatio || 1
    const { width, height, scale, left, top } = this.geometry()
    this.canvas.width = Math.round(width * ratio)
    this.canvas.height = Math.round(height * ratio)
    const context = this.canvas.getContext("2d")
    context.fillStyle = shared.invert ? "#fff" : "#000"
    context.fillRect(0, 0, this.canvas.width, this.canvas.height)
    context.imageSmoothingQuality = "high"
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.translate(left, top)
    context.scale(scale, scale)
    if (this.spec.flipped) {
      context.translate(this.view.columns, 0)
      context.scale(-1, 1)
    }
    context.drawImage(this.buffer, 0, 0)
    this.drawFindings(context, scale)
    this.drawScale(scale)
  }

  drawFindings(context, scale) {
    const shrunk = this.view.columns / this.view.source_columns
    for (const { box: [x0, y0, x1, y1], label } of this.spec.findings ?? []) {
      context.lineWidth = 1.5 / scale
      context.strokeStyle = "#F0E442"
      context.setLineDash([4 / scale, 3 / scale])
      context.strokeRect(x0 * shrunk, y0 * shrunk, (x1 - x0) * shrunk, (y1 - y0) * shrunk)
      context.save()
      // The picture may be mirrored to hang; its words may not.
      context.translate((this.spec.flipped ? x1 : x0) * shrunk, y0 * shrunk - 4 / scale)
      context.scale((this.spec.flipped ? -1 : 1) / scale, 1 / scale)
      context.fillStyle = "#F0E442"
      context.font = "12px sans-serif"
      context.fillText(label, 0, 0)
      context.restore()
    }
  }

  drawScale(scale) {
    const { spacing_mm: spacing } = this.view // of the rendition, not of the source
    scaleBar(this.scale, spacing ? scale / spacing : null)
  }

  zoomAt(factor, x, y) {
    if (!this.view) return
    const before = this.geometry()
    const zoom = Math.min(24, Math.max(0.5, this.zoom * factor))
    const grown = zoom / this.zoom
    const wall = before.left + (this.spec.side === "right" ? this.view.columns * before.scale : 0)
    const middle = before.top + (this.view.rows * before.scale) / 2
    this.zoom = zoom
    this.along += ((x - wall) * (1 - grown) * before.outward) / before.height
    this.down += ((y - middle) * (1 - grown)) / before.height
    this.viewer.follow(this)
  }

  move(dx, dy) {
    if (!this.view) return
    const { height, outward } = this.geometry()
    this.along += (dx * outward) / height
    this.down += dy / height
    this.viewer.follow(this)
  }

  reset() {
    Object.assign(this, { zoom: 1, along: 0, down: 0 })
  }

  listen() {
    const { root } = this
    let drag = null
    root.addEventListener("contextmenu", (event) => event.preventDefault())
    root.addEventListener("wheel", (event) => {
      event.preventDefault()
      const box = root.getBoundingClientRect()
      this.zoomAt(Math.exp(-event.deltaY * 0.0015), event.clientX - box.left, event.clientY - box.top)
    }, { passive: false })
    root.addEventListener("pointerdown", (event) => {
      this.viewer.activate(this)
      const windowing = event.button === 2 || event.shiftKey || event.ctrlKey
      drag = { x: event.clientX, y: event.clientY, windowing }
      root.classList.add(windowing ? "windowing" : "dragging")
      root.setPointerCapture(event.pointerId)
    })
    root.addEventListener("pointermove", (event) => {
      if (!drag || !this.view) return
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y]
      Object.assign(drag, { x: event.clientX, y: event.clientY })
      if (drag.windowing) this.viewer.windowBy(dx, dy)
      else this.move(dx, dy)
    })
    const end = () => {
      drag = null
      root.classList.remove("windowing", "dragging")
    }
    root.addEventListener("pointerup", end)
    root.addEventListener("pointercancel", end)
    root.addEventListener("dblclick", () => this.viewer.alone(this))
    root.addEventListener("focusin", () => { this.viewer.active = this })
    root.addEventListener("pointerenter", () => {
      this.viewer.active = this
      // Two views cannot both be meant: where one is framed, the frame goes along.
      if (this.viewer.grid.querySelector(".pane:focus")) this.viewer.activate(this)
    })
  }
}

class Viewer {
  constructor(parent) {
    this.root = element("div", "viewer")
    this.root.tabIndex = 0
    this.root.setAttribute("role", "application")
    this.root.setAttribute("aria-label", "Image viewer; press ? for its keys")
    this.bar = element("div", "bar")
    this.grid = element("div", "grid")
    this.root.append(this.bar, this.grid)
    parent.append(this.root)
    this.panes = []
    this.single = null
    this.root.addEventListener("keydown", (event) => this.key(event))
    new ResizeObserver(() => this.panes.forEach((pane) => pane.draw())).observe(this.grid)
    this.frame = null
  }

  show(data) {
    const signature = JSON.stringify(data)
    if (signature === this.signature) return
    this.signature = signature
    this.root.style.height = `${data.height}px`
    this.title = data.title
    this.single = null
    shared.preset ??= "1"
    this.panes = data.panes.map((spec) => new Pane(spec, this))
    this.active = this.panes.find((pane) => pane.spec.sop_uid) ?? this.panes[0]
    this.grid.classList.remove("single")
    const held = this.grid.querySelector(":focus")
    this.grid.replaceChildren(...this.panes.map((pane) => pane.root))
    if (held) this.activate(this.active)
    this.drawBar()
  }

  drawBar() {
    const held = this.bar.querySelector("button:focus")?.dataset.key
    const button = (text, key, pressed) => {
      const made = element("button", "", text)
      made.dataset.key = key
      made.title = `Key ${key}`
      if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed))
      made.addEventListener("click", () => this.act(key))
      return made
    }
    this.bar.replaceChildren(
      element("span", "title", this.title),
      button("As recorded", "1", shared.preset === "1"),
      button("Tissue", "2", shared.preset === "2"),
      button("Full range", "3", shared.preset === "3"),
      element("span", "gap"),
      button("Invert", "I", shared.invert),
      button("Linked", "L", shared.linked),
      button("Reset", "R"),
      button("Full screen", "F"),
      button("?", "?"),
    )
    // The buttons are made anew: whoever pressed one by keys is still at it.
    if (held) this.bar.querySelector(`[data-key="${held}"]`)?.focus({ preventScroll: true })
  }

  // Keys act on one view, the one with the focus; one that is missing takes none.
  activate(pane) {
    this.active = pane
    const target = pane?.spec.sop_uid ? pane.root : this.root
    target.focus({ preventScroll: true })
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
    for (const pane of this.panes) {
      if (pane !== source && shared.linked) {
        const { zoom, along, down } = source
        Object.assign(pane, { zoom, along, down })
      }
    }
    this.schedule(() => this.panes.forEach((pane) => (shared.linked || pane === source) && pane.draw()))
  }

  schedule(work) {
    if (this.frame) cancelAnimationFrame(this.frame)
    this.frame = requestAnimationFrame(() => { this.frame = null; work() })
  }

  windowBy(dx, dy) {
    shared.preset = null
    for (const pane of this.panes) {
      if (!pane.view || (!shared.linked && pane !== this.active)) continue
      const step = presetsOf(pane.view)[1].width / 400
      pane.window.width = Math.max(1, pane.window.width + dx * step)
      pane.window.center += dy * step
    }
    this.drawBar()
    this.schedule(() => this.panes.forEach((pane) => pane.shade()))
  }

  alone(pane) {
    const held = this.grid.querySelector(":focus")
    this.showAlone(this.single ? null : pane)
    // What is hidden loses the focus, and the keys with it.
    if (held?.closest(".away")) this.activate(pane)
  }

  showAlone(pane) {
    this.single = pane
    this.grid.classList.toggle("single", Boolean(pane))
    for (const other of this.panes) other.root.classList.toggle("away", Boolean(pane) && other !== pane)
    this.panes.forEach((shown) => shown.draw())
  }

  act(name) {
    const pane = this.active
    if ("123".includes(name)) {
      shared.preset = name
      this.panes.forEach((each) => each.applyPreset(name))
    } else if (name === "I") {
      shared.invert = !shared.invert
      this.panes.forEach((each) => each.shade())
    } else if (name === "L") {
      shared.linked = !shared.linked
      if (shared.linked) this.follow(pane)
    } else if (name === "R") {
      Object.assign(shared, { preset: "1", invert: false })
      this.panes.forEach((each) => { each.reset(); each.applyPreset("1") })
    } else if (name === "F") {
      if (document.fullscreenElement) document.exitFullscreen()
      else this.root.requestFullscreen?.()
    } else if (name === "?") {
      toggleKeys(this.root, KEYS)
    }
    this.drawBar()
  }

  key(event) {
    if (event.metaKey || event.altKey || event.ctrlKey) return
    const name = event.key.length === 1 ? event.key.toUpperCase() : event.key
    const pane = this.active
    if ((name === "Enter" || name === " ") && event.target.closest("button")) {
      event.stopPropagation() // the button that has the focus is pressed
      return
    }
    const steps = { ArrowLeft: [-24, 0], ArrowRight: [24, 0], ArrowUp: [0, -24], ArrowDown: [0, 24] }
    if ("123ILRF?".includes(name)) this.act(name)
    else if (name === "+" || name === "=") pane.zoomAt(1.25, pane.root.clientWidth / 2, pane.root.clientHeight / 2)
    else if (name === "-") pane.zoomAt(0.8, pane.root.clientWidth / 2, pane.root.clientHeight / 2)
    else if (steps[name]) pane.move(...steps[name])
    else if (name === "N") this.step(1)
    else if (name === "P") this.step(-1)
    else if (name === "Enter") this.alone(pane)
    else if (name === "Escape" && this.root.querySelector(".keys")) this.act("?")
    else if (name === "Escape" && this.single) this.alone(this.single)
    else return
    // Streamlit has keys of its own (R reruns the page): in the viewer they mean what the viewer says.
    event.preventDefault()
    event.stopPropagation()
  }
}

const viewers = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  if (!viewers.has(parentElement)) viewers.set(parentElement, new Viewer(parentElement))
  const viewer = viewers.get(parentElement)
  viewer.read = (uid) => setTriggerValue("read", uid)
  viewer.show(data)
}
