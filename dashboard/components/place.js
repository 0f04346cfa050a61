// A proposed place in a part of a picture: its frame can be dragged, or moved by arrow keys, before it is confirmed.
const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}
const STEP = 0.01, FAR = 0.05 // of the crop, by an arrow key and with Shift
const TOLD_AFTER_MS = 300

class Place {
  constructor(parent) {
    this.root = element("div", "place")
    this.picture = element("img")
    this.frame = element("div", "frame")
    this.frame.tabIndex = 0
    this.frame.setAttribute("role", "application")
    this.said = element("div", "place-said")
    this.root.append(this.picture, this.frame)
    parent.append(this.root, this.said)
    this.frame.addEventListener("pointerdown", (event) => {
      this.frame.setPointerCapture(event.pointerId)
      this.grip = [event.clientX, event.clientY]
      event.preventDefault()
      this.frame.focus()
    })
    this.frame.addEventListener("pointermove", (event) => {
      if (!this.grip) return
      const side = this.root.clientWidth
      this.moveBy((event.clientX - this.grip[0]) / side, (event.clientY - this.grip[1]) / side)
      this.grip = [event.clientX, event.clientY]
    })
    const end = () => {
      if (this.grip) this.tell()
      this.grip = null
    }
    this.frame.addEventListener("pointerup", end)
    this.frame.addEventListener("pointercancel", end)
    this.frame.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
      if (!way) return
      event.preventDefault()
      event.stopPropagation()
      this.moveBy(...way.map((to) => to * (event.shiftKey ? FAR : STEP)))
      clearTimeout(this.waits)
      this.waits = setTimeout(() => this.tell(), TOLD_AFTER_MS)
    })
  }

  // Left, top, width and height of the frame as it is seen, in shares of the crop.
  show(data) {
    this.data = data
    this.picture.src = data.src
    this.picture.alt = data.label
    this.picture.classList.toggle("flipped", data.flipped)
    this.frame.setAttribute("aria-label", `Frame of the proposed place in ${data.label}: move it by the arrow keys`)
    const [x0, y0, x1] = data.edges, side = x1 - x0
    const [bx0, by0, bx1, by1] = data.box
    this.size = [(bx1 - bx0) / side, (by1 - by0) / side].map((share) => Math.min(1, share))
    const left = data.flipped ? (x1 - bx1) / side : (bx0 - x0) / side
    this.at = [left, (by0 - y0) / side]
    this.moveBy(0, 0)
  }

  moveBy(right, down) {
    this.at = [right, down].map((by, i) => Math.min(1 - this.size[i], Math.max(0, this.at[i] + by)))
    const [left, top, width, height] = [...this.at, ...this.size].map((share) => `${100 * share}%`)
    Object.assign(this.frame.style, { left, top, width, height })
    const moved = right !== 0 || down !== 0 || this.data.moved
    this.frame.classList.toggle("moved", Boolean(moved))
    this.said.textContent = moved ? `${this.data.label}, moved` : this.data.label
  }

  tell() {
    const [x0, y0, x1] = this.data.edges, side = x1 - x0
    const width = this.data.box[2] - this.data.box[0], height = this.data.box[3] - this.data.box[1]
    const left = this.data.flipped ? x1 - this.at[0] * side - width : x0 + this.at[0] * side
    const top = y0 + this.at[1] * side
    this.moved([left, top, left + width, top + height])
  }
}

const places = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  if (!places.has(parentElement)) places.set(parentElement, new Place(parentElement))
  const place = places.get(parentElement)
  place.moved = (box) => setStateValue("box", box)
  if (!place.grip) place.show(data)
}
