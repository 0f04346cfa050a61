// The frames of an image that has several (MR, tomosynthesis, loops): fetched when they are looked at, one after another,
// with those beside them ahead. pixels.js and pictures.js stand before this file.
const FRAMES_KEPT = 24
const frames = new Map() // "uid number" -> { promise, picture once it is there }; the last few

function frameOf(uid, number, whole) {
  const name = `${uid} ${number}`
  const kept = frames.get(name)
  if (kept) {
    frames.delete(name)
    frames.set(name, kept) // used last, forgotten last
    return kept
  }
  const entry = { picture: null }
  entry.promise = fetchPixels(`/img/${encodeURIComponent(uid)}?frame=${number}`).then((view) => (entry.picture = pictureOf(view, whole.presets)))
  entry.promise.catch(() => frames.delete(name))
  frames.set(name, entry)
  while (frames.size > FRAMES_KEPT) frames.delete(frames.keys().next().value)
  return entry
}

// The slider over a view that has frames; `whole` is the picture that stands for all of them.
class Frames {
  constructor(pane, whole) {
    Object.assign(this, { pane, whole, count: whole.frames, number: whole.frame, busy: false })
    this.root = element("label", "frames")
    this.slider = Object.assign(element("input"), { type: "range", min: 1, max: this.count, step: 1, value: this.number })
    this.slider.setAttribute("aria-label", `Frame of ${pane.spec.label}`)
    this.said = element("output")
    this.root.append(this.slider, this.said)
    for (const name of ["pointerdown", "pointermove", "dblclick"]) this.root.addEventListener(name, (event) => event.stopPropagation())
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)))
    this.say()
  }

  get isWhole() {
    return this.number === this.whole.frame
  }

  step(by) {
    this.show(Math.min(this.count, Math.max(1, this.number + by)))
  }

  show(number) {
    if (number === this.number) return
    this.number = number
    this.say()
    this.fetch()
  }

  say() {
    this.slider.value = this.number
    this.said.textContent = `${this.number} / ${this.count}`
    this.slider.setAttribute("aria-valuetext", `${this.number} of ${this.count}`)
  }

  // One request at a time: whoever drags through a stack waits for the frame she stops at, and not for all before it.
  fetch() {
    const { number, pane } = this
    const entry = this.isWhole ? { picture: this.whole } : frames.get(`${pane.spec.sop_uid} ${number}`)
    if (entry?.picture) return this.take(entry.picture)
    if (this.busy) return
    this.busy = true
    frameOf(pane.spec.sop_uid, number, this.whole).promise.then((picture) => {
      if (this.number === number) this.take(picture)
    }, (error) => pane.viewer.say(error.message)).finally(() => {
      this.busy = false
      if (this.number !== number) this.fetch()
      else this.ahead()
    })
  }

  take(picture) {
    this.pane.picture = picture
    this.root.dataset.shown = this.number
    this.pane.viewer.redraw()
  }

  ahead() {
    for (const near of [this.number + 1, this.number - 1]) {
      if (near >= 1 && near <= this.count && near !== this.whole.frame) frameOf(this.pane.spec.sop_uid, near, this.whole).promise.catch(() => {})
    }
  }
}
